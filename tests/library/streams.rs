//! Files read batch by batch: the same bits as in memory, and errors for faulty files.

use ndarray::{Array2, Array3};
use plywood::data::{ArrayDataset, IdxStream};
use plywood::prelude::*;
use std::path::PathBuf;

/// A temporary file that is removed when the value is dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("plywood-streams-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn idx(kind: u8, lengths: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, lengths.len() as u8];
    bytes.extend(lengths.iter().flat_map(|n| n.to_be_bytes()));
    bytes.extend_from_slice(elements);
    bytes
}

fn batch<T: Default, D: Dataset<f32, Target = T>>(data: &D, indices: &[usize]) -> (Tensor, T) {
    let mut batch = Batch::<f32, T>::default();
    data.read(indices, Pass::Evaluate, &mut batch).unwrap();
    (batch.take_input(), batch.target)
}

const ORDERS: [&[usize]; 5] = [&[0], &[2, 0, 2, 1], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[9, 8, 4, 5, 6], &[]];

#[test]
fn idx_files_give_the_batches_of_arrays() {
    let pixels: Vec<u8> = (0..10 * 6).map(|i| (i * 7 % 256) as u8).collect();
    let labels: Vec<usize> = (0..10).map(|i| i % 3).collect();
    let file = Temporary::new("images.idx", &idx(8, &[10, 2, 3], &pixels));
    let stream = IdxStream::open(&file.0, labels.clone()).unwrap().scale(1.0 / 255.0).offset(-0.5);
    let array = Array3::from_shape_vec((10, 2, 3), pixels).unwrap();
    let memory = ArrayDataset::new(array, labels).unwrap().scale(1.0 / 255.0).offset(-0.5);
    for order in ORDERS {
        assert_eq!(batch(&stream, order), batch(&memory, order));
    }
    assert_eq!(
        (Dataset::<f32>::len(&stream), Dataset::<f32>::input_shapes(&stream).only()),
        (10, Some(&[2, 3][..]))
    );
    let floats: Vec<f32> = (0..20).map(|i| i as f32 / 3.0).collect();
    let bytes: Vec<u8> = floats.iter().flat_map(|x| x.to_be_bytes()).collect();
    let file = Temporary::new("floats.idx", &idx(0x0D, &[10, 2], &bytes));
    let stream = IdxStream::open(&file.0, vec![0; 10]).unwrap();
    assert_eq!(batch(&stream, &[7]).0.as_slice().unwrap(), &floats[14..16]);
}

#[test]
fn training_on_a_stream_gives_the_bits_of_training_in_memory() {
    let pixels: Vec<u8> = (0..200 * 4).map(|i| (i * i % 251) as u8).collect();
    let labels: Vec<usize> = (0..200).map(|i| i % 2).collect();
    let file = Temporary::new("train.idx", &idx(8, &[200, 4], &pixels));
    let stream = IdxStream::open(&file.0, labels.clone()).unwrap().scale(0.01);
    let memory =
        ArrayDataset::new(Array2::from_shape_vec((200, 4), pixels).unwrap(), labels).unwrap().scale(0.01);
    fn run<D: Dataset<Target = Vec<usize>>>(data: &D) -> Vec<u64> {
        let _threads = crate::take_threads(2);
        let mut model = Sequential::builder([4]).layer(Dense::units(2)).layer(Softmax).build().unwrap();
        let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).epochs(3).validation_split(0.2);
        let history = trainer.progress(Progress::Silent).fit(&mut model, data).unwrap();
        [history.get("loss"), history.get("val_loss")].concat().iter().map(|x| x.to_bits()).collect()
    }
    assert_eq!(run(&stream), run(&memory));
}

#[test]
fn faulty_idx_files_are_errors() {
    let open = |name: &str, bytes: &[u8], targets| {
        let file = Temporary::new(name, bytes);
        let text = IdxStream::open(&file.0, vec![0usize; targets]).unwrap_err().to_string();
        text.replace(&file.0.display().to_string(), "FILE")
    };
    assert_eq!(
        open("short.idx", &idx(8, &[3, 2], &[0; 5]), 3),
        "FILE: the elements must have 6 bytes for [3, 2], got 5 bytes. The file is truncated; get it again."
    );
    assert!(open("huge.idx", &idx(8, &[u32::MAX; 8], &[]), 3).contains("fewer than 2^64 bytes"));
    assert!(
        open("targets.idx", &idx(8, &[3, 2], &[0; 6]), 2)
            .contains("the number of targets must be 3, one for each sample, got 2")
    );
    assert!(open("type.idx", &idx(0x0B, &[3], &[0; 6]), 3).contains("0x0b"));
    assert!(open("none.idx", &idx(8, &[0, 2], &[]), 0).contains("at least one number"));
    assert!(open("gzip.idx", &[0x1f, 0x8b, 8, 0, 0], 1).contains("gunzip"));
    assert!(open("empty.idx", &[], 1).contains("0 bytes in all"));
    assert!(
        IdxStream::open("no/such/file", vec![0usize]).unwrap_err().to_string().contains("could not open")
    );

    // A file that is shortened while in use.
    let file = Temporary::new("shrinks.idx", &idx(8, &[3, 2], &[1; 6]));
    let stream = IdxStream::open(&file.0, vec![0usize; 3]).unwrap();
    std::fs::OpenOptions::new().write(true).open(&file.0).unwrap().set_len(14).unwrap();
    let mut batch = Batch::<f32, Vec<usize>>::default();
    stream.read(&[0], Pass::Evaluate, &mut batch).unwrap();
    let text = stream.read(&[2], Pass::Evaluate, &mut batch).unwrap_err().to_string();
    assert!(text.contains("shorter since it was opened"), "{text}");
    assert!(stream.read(&[3], Pass::Evaluate, &mut batch).is_err());
}

const TABLE: &str = "\u{feff}a,b,\"the kind\",y\r\n1,2,x,3\r\n\r\n-1.5e2, 0.25 ,\"k, \"\"q\"\"\",4\n0,7,x,-5\n1,1,w,0\n5,6,x,1\n9,8,w,2\n0,0,x,3\n4,5,w,4\n2,2,w,5\n3,3,x,6";

#[test]
fn tables_give_the_same_numbers_whole_and_row_by_row() {
    let file = Temporary::new("table.csv", TABLE.as_bytes());
    let csv = TableCsv::target("y").inputs(["b", "a"]);
    let whole = csv.read::<f32>(&file.0).unwrap();
    assert_eq!(whole.inputs().shape(), [10, 2]);
    assert_eq!((whole.inputs()[[1, 0]], whole.inputs()[[1, 1]]), (0.25, -150.0));
    assert_eq!(whole.targets()[[2, 0]], -5.0);
    let stream = csv.stream::<f32>(&file.0).unwrap();
    assert_eq!(stream.targets(), whole.targets());
    for order in ORDERS {
        assert_eq!(batch(&stream, order), batch(&whole, order));
    }
    let csv = TableCsv::target("the kind").inputs(["y"]);
    let (whole, stream) =
        (csv.read_labelled::<f32>(&file.0).unwrap(), csv.stream_labelled::<f32>(&file.0).unwrap());
    assert_eq!(whole.class_names(), ["k, \"q\"", "w", "x"]);
    assert_eq!(Dataset::<f32>::class_names(&stream), whole.class_names());
    assert_eq!(&whole.targets()[..4], [2, 0, 2, 1]);
    for order in ORDERS {
        assert_eq!(batch(&stream, order), batch(&whole, order));
    }
    // Test data can use the class indices of the training data.
    let known = csv.classes(["x", "w", "k, \"q\""]);
    assert_eq!(&known.read_labelled::<f32>(&file.0).unwrap().targets()[..4], [0, 2, 0, 1]);
}

#[test]
fn faulty_tables_are_errors() {
    let read = |text: &[u8]| {
        let (memory, file) =
            (TableCsv::target("y").read_from::<f32>(text, "t"), Temporary::new("bad.csv", text));
        let stream = TableCsv::target("y").stream::<f32>(&file.0).map_err(|e| e.to_string());
        let memory = memory.unwrap_err().to_string();
        assert_eq!(stream.unwrap_err().replace(&file.0.display().to_string(), "t"), memory);
        memory
    };
    assert_eq!(
        read(b"a,y\n1,2\n3,NaN\n"),
        "t: row 2, column \"y\" must be a finite number, got \"NaN\". Fill it in, name the columns to be read by \
         `inputs`, or leave such rows out with `skip_faulty`."
    );
    assert!(read(b"a,y\n,2\n").contains("row 1, column \"a\" must be a finite number, got nothing"));
    assert!(read(b"a,y\ninf,2\n").contains("got \"inf\""));
    assert!(read(b"a,y\n1,2,3\n").contains("row 1 must have 2 fields, as the header has, got 3"));
    assert!(read(b"a,y\n1\n").contains("got 1"));
    assert!(
        read(b"a,y\n\"1,2\n")
            .contains("row 1 must have its quotes in pairs, got a quote that is never closed")
    );
    assert!(read(b"a,y\n\"1\"2,2\n").contains("a closing quote that is not followed by"));
    assert!(read(b"a,x\n1,2\n").contains("a column \"y\", got \"a\", \"x\""));
    assert!(read(b"a,y\n").contains("none below the names") && read(b"").contains("an empty file"));
    assert!(read(b"y\n1\n").contains("a column beside the target"));
    assert!(
        read(&[0xff, 0xfe, b'\n', 1]).contains("the header, column 1 must be UTF-8, got the byte 0xff in")
    );
    assert!(read(b"a,y\n\xff,1\n").contains("row 1, column \"a\" must be UTF-8, got the byte 0xff in"));
    let labelled =
        |csv: TableCsv, text: &str| csv.read_labelled_from::<f32>(text.as_bytes(), "t").unwrap_err();
    let text = labelled(TableCsv::target("y").classes(["p", "q"]), "a,y\n1,r\n").to_string();
    assert!(text.contains("one of the 2 classes (p, q), got \"r\""), "{text}");
    assert!(labelled(TableCsv::target("y"), "a,y\n1,\n").to_string().contains("a class, got nothing"));
    assert!(labelled(TableCsv::target("y").classes(["p", "p"]), "a,y\n1,p\n").to_string().contains("twice"));
    let twice = TableCsv::target("y").inputs(["a", "a"]).read_from::<f32>(&b"a,y\n1,2\n"[..], "t");
    assert!(twice.unwrap_err().to_string().contains("Name each column once"));
}

/// Opening a named pipe blocks until somebody writes to it, and it does not support reading at a position.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_before_it_is_opened() {
    let folder = std::env::temp_dir().join(format!("plywood-streams-{}-kinds", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pipe = folder.join("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, found) in
        [(&pipe, "a named pipe"), (&folder, "a folder"), (&PathBuf::from("/dev/null"), "a device")]
    {
        let expected = format!(
            "{} must be a file that can be read from any position, got {found}. Name a file: the output of a pipe can \
             be written into one, or be read whole by `TableCsv::read` and `idx::read`.",
            path.display()
        );
        let name = |error: plywood::Error| error.to_string();
        assert_eq!(TableCsv::target("y").stream::<f32>(path).map_err(name).unwrap_err(), expected);
        assert_eq!(TableCsv::target("y").stream_labelled::<f32>(path).map_err(name).unwrap_err(), expected);
        assert_eq!(IdxStream::open(path, vec![0usize]).map_err(name).unwrap_err(), expected);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_line_that_does_not_end_is_not_read_for_ever() {
    let endless = std::io::Read::chain(&b"a,y\n"[..], std::io::repeat(b'7'));
    let text = TableCsv::target("y").read_from::<f32>(endless, "t").unwrap_err().to_string();
    assert!(text.contains("row 1 must have at most 16777216 bytes"), "{text}");
}

/// A value that is finite in the file but not in the model's type is named, in a stream as in memory.
#[test]
fn numbers_of_f64_that_are_too_large_for_f32_are_named() {
    let mut floats = vec![0.5f64; 60];
    (floats[23], floats[41]) = (-1e39, f64::NAN);
    let bytes: Vec<u8> = floats.iter().flat_map(|x| x.to_be_bytes()).collect();
    let file = Temporary::new("wide.idx", &idx(0x0E, &[20, 3], &bytes));
    let stream = IdxStream::open(&file.0, vec![0usize; 20]).unwrap();
    let memory =
        ArrayDataset::new(Array2::from_shape_vec((20, 3), floats).unwrap(), vec![0usize; 20]).unwrap();
    let all: Vec<usize> = (0..20).rev().collect();
    let mut read = Batch::<f32, Vec<usize>>::default();
    let expected = "number 2 of sample 7 must be finite in f32, got -1e39. Give such numbers in a larger unit, or \
                    train a model of `f64`.";
    assert_eq!(memory.read(&all, Pass::Evaluate, &mut read).unwrap_err().to_string(), expected);
    let streamed = stream.read(&all, Pass::Evaluate, &mut read).unwrap_err().to_string();
    assert_eq!(streamed, format!("{}: {expected}", file.0.display()));
    // NaN in the data is left for the caller to handle.
    stream.read(&[13], Pass::Evaluate, &mut read).unwrap();
    let mut wide = Batch::<f64, Vec<usize>>::default();
    stream.read(&all, Pass::Evaluate, &mut wide).unwrap();
}
