//! Untrusted CSV: rows of numbers, and rows of texts.

use super::{UNPACKED, bounded};
use plywood::data::{Csv, Table, TextCsv};
use plywood::prelude::*;
use std::path::Path;

/// Checks rows of numbers with the target column "b", read whole and as a stream; `path` is where they are written.
pub fn numbers(bytes: &[u8], separator: u8, path: &Path) {
    std::fs::write(path, bytes).expect("a file to write");
    for csv in
        [TableCsv::target("b"), TableCsv::target("b").skip_faulty(true), TableCsv::target("b").inputs(["a"])]
    {
        let csv = csv.separator(separator).missing(["?"]).most_unpacked(UNPACKED as u64);
        let read = bounded(bytes.len() + UNPACKED, || csv.read_from::<f32>(bytes, "a test"));
        let streamed = bounded(bytes.len(), || csv.stream::<f32>(path));
        if let (Ok(data), Ok(stream)) = (&read, &streamed) {
            assert_eq!(data.targets(), stream.targets(), "read whole and streamed");
            both_alike(data, stream);
        }
        let _ = bounded(bytes.len() + UNPACKED, || csv.read_from::<f64>(bytes, "a test"));
        let read = bounded(bytes.len() + UNPACKED, || csv.read_labelled_from::<f32>(bytes, "a test"));
        let streamed = bounded(bytes.len(), || csv.stream_labelled::<f32>(path));
        if let (Ok(data), Ok(stream)) = (&read, &streamed) {
            assert_eq!(data.targets(), stream.targets(), "read whole and streamed");
            both_alike(data, stream);
        }
        let text = |error: Error| assert!(error.to_string().len() < 65_536, "a list that is cut");
        let _ = (read.map_err(text), streamed.map_err(text));
    }
}

/// Checks that the last row is the same from both.
fn both_alike<T: Default + Send>(
    data: &impl Dataset<f32, Target = T>,
    stream: &impl Dataset<f32, Target = T>,
) {
    assert_eq!((data.len(), data.class_names()), (stream.len(), stream.class_names()));
    let (mut whole, mut streamed) = (Batch::default(), Batch::default());
    let last = [data.len() - 1];
    data.read(&last, Pass::Evaluate, &mut whole).expect("a row in memory");
    stream.read(&last, Pass::Evaluate, &mut streamed).expect("a row in a file");
    assert_eq!(whole.inputs[0], streamed.inputs[0]);
}

/// Checks a file whose form is guessed, or said in part: what can be read whole is the same in pieces.
pub fn guessed(bytes: &[u8]) {
    let csv = Csv::bytes("a test", bytes).most_unpacked(UNPACKED as u64);
    for csv in [
        csv.clone(),
        csv.clone().quotes(false).header(true).decimal_comma(true),
        csv.encoding("windows-1252"),
    ] {
        let length = 4 * (bytes.len() + UNPACKED);
        match bounded(length, || csv.read()) {
            Err(error) => assert!(error.to_string().len() < 65_536, "a list that is cut"),
            Ok(table) => {
                assert!(bounded(length, || table.to_string()).len() < 65_536, "a list that is cut");
                let rows = |piece: Result<Table>| piece.expect("a piece of what was read whole").rows();
                let pieces = bounded(length, || csv.pieces(3)).expect("what was read whole");
                assert_eq!(pieces.map(rows).sum::<usize>(), table.rows());
            }
        }
    }
}

/// Checks rows of texts in the column "text" with labels in "label", and the words of these texts.
pub fn texts(bytes: &[u8], separator: u8) {
    let csv = TextCsv::columns("label", "text").separator(separator).most_unpacked(UNPACKED as u64);
    for csv in
        [csv.clone(), csv.clone().missing(["?"]).skip_faulty(true), csv.classes(["a", "b"]).skip_faulty(true)]
    {
        let length = bytes.len() + UNPACKED;
        match bounded(length, || csv.read_from(bytes, "a test")) {
            Ok(rows) => {
                assert!(bounded(length, || rows.to_string()).len() < 65_536, "a list that is cut");
                let texts = rows.texts.texts();
                let words = Vocabulary::of(Tokenizer::words().bigrams(true));
                if let Ok(vocabulary) = bounded(length, || words.fit(texts)) {
                    let ids = bounded(length, || vocabulary.encode(texts, 4)).expect("ids of texts");
                    assert_eq!(ids.dim(), (texts.len(), 4));
                }
            }
            Err(error) => assert!(error.to_string().len() < 65_536, "a list that is cut"),
        }
    }
}
