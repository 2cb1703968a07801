//! Compares our CSV reader with the crate `csv`: the fields are the same, or our reader returns an error where `csv` is
//! lenient.

use plywood::data::LabelledTexts;
use plywood::prelude::*;
use plywood::random::Random;

/// Returns a random text of these letters, which include all that are special in CSV.
fn draw(draws: &mut impl FnMut(usize) -> usize) -> String {
    const LETTERS: [&str; 9] = ["a", "é", ",", "\"", "\n", " ", ";", "😀", "b"];
    (0..1 + draws(6)).map(|_| LETTERS[draws(9)]).collect()
}

/// Returns the rows as `csv` reads them: labels with spaces trimmed, and texts.
fn theirs(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let field = |record: &csv::StringRecord, i| record.get(i).map(str::to_owned);
    reader
        .records()
        .map(|record| {
            let record = record.ok()?;
            Some((field(&record, 0)?.trim().to_owned(), field(&record, 1)?))
        })
        .collect()
}

fn ours(bytes: &[u8]) -> Result<Vec<(String, String)>> {
    let read: LabelledTexts = LabelledTexts::csv_from(bytes, "the bytes", "label", "text")?;
    let names = read.class_names();
    Ok(read.labels().iter().zip(read.texts()).map(|(&l, t)| (names[l].clone(), t.clone())).collect())
}

#[test]
fn what_is_written_by_the_rules_is_read_as_the_peer_reads_it() {
    let mut read = 0;
    for seed in 0..400 {
        let mut random = Random::seed(seed).at(0, 0);
        let mut draws = |n: usize| random.below(n);
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["label", "text"]).unwrap();
        for _ in 0..1 + draws(12) {
            writer.write_record([draw(&mut draws), draw(&mut draws)]).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        if let Ok(rows) = ours(&bytes) {
            assert_eq!(Some(rows), theirs(&bytes), "seed {seed}: {}", String::from_utf8_lossy(&bytes));
            read += 1;
        }
    }
    assert!(read > 100, "most files are read: {read}");
}

/// Random bytes, most of which are not valid CSV: if both readers accept them, they return the same rows.
#[test]
fn what_both_read_is_the_same() {
    let mut read = 0;
    for seed in 0..20_000 {
        let mut random = Random::seed(seed).at(1, 0);
        let mut draws = |n: usize| random.below(n);
        let mut bytes = b"label,text\n".to_vec();
        for _ in 0..1 + draws(4) {
            bytes.extend(format!("{},{}\n", draw(&mut draws), draw(&mut draws)).bytes());
        }
        if let Ok(rows) = ours(&bytes) {
            assert_eq!(Some(rows), theirs(&bytes), "seed {seed}: {}", String::from_utf8_lossy(&bytes));
            read += 1;
        }
    }
    assert!(read > 1000, "some are read: {read}");
}
