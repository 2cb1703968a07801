//! Tables and texts from CSV: the features of real files, and the cases that must not be decided silently.

use plywood::prelude::*;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A temporary file that is removed when the value is dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, content: &[u8]) -> Self {
        // Tests run in parallel and use the same names.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("plywood-tables-{}-{count}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn text<T: Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

/// Reads labels from memory and as a stream. Both must agree, including errors and remarks.
fn labelled(csv: &TableCsv, file: &[u8]) -> Result<ArrayDataset<f32, Vec<usize>>> {
    let whole = csv.read_labelled_from::<f32>(file, "f.csv");
    let temporary = Temporary::new("labelled.csv", file);
    let name = |text: String| text.replace(&temporary.0.display().to_string(), "f.csv");
    let stream = csv.stream_labelled::<f32>(&temporary.0);
    match (&whole, &stream) {
        (Ok(whole), Ok(stream)) => {
            assert_eq!((whole.targets(), whole.class_names()), (stream.targets(), class_names(stream)));
            let remarks: Vec<String> = stream.remarks().iter().cloned().map(name).collect();
            assert_eq!(whole.remarks(), remarks);
            let indices: Vec<usize> = (0..whole.len()).rev().chain(0..whole.len()).collect();
            let (mut a, mut b) = (Batch::<f32, _>::default(), Batch::<f32, _>::default());
            whole.read(&indices, Pass::Evaluate, &mut a).unwrap();
            stream.read(&indices, Pass::Evaluate, &mut b).unwrap();
            assert_eq!((a.inputs, a.target), (b.inputs, b.target));
        }
        (Err(whole), Err(stream)) => assert_eq!(whole.to_string(), name(stream.to_string())),
        _ => panic!("{whole:?} {stream:?}"),
    }
    whole
}

fn class_names<D: Dataset<f32>>(data: &D) -> &[String] {
    data.class_names()
}

#[test]
fn names_and_classes_are_without_spaces_at_their_ends() {
    let file = b"size ,\" kind\"\n1,cat\n2,cat \n3,\xc2\xa0dog\n4,\" cat\"\n";
    let data = labelled(&TableCsv::target("kind ").inputs([" size"]), file).unwrap();
    assert_eq!(
        (data.class_names(), data.targets()),
        (&["cat", "dog"].map(str::to_owned)[..], &vec![0, 0, 1, 0])
    );
    let known = labelled(&TableCsv::target("kind").classes(["dog ", "cat"]), file).unwrap();
    assert_eq!(known.targets(), &[1, 1, 0, 1]);
    let twice = text(labelled(&TableCsv::target("kind").classes(["dog", "dog "]), file));
    assert!(twice.contains("the class names must be distinct, got \"dog\" twice"), "{twice}");
    let texts = LabelledTexts::new(vec!["a", "b"], &["x", " x"]).unwrap();
    assert_eq!(texts.class_names(), ["x"]);
}

#[test]
fn a_name_that_two_columns_have_is_an_error() {
    let expected = "f.csv: the header must have distinct names, got \"kind\" in columns 1 and 3. Give each \
                    column a name of its own, or take one of the two out of the file.";
    assert_eq!(text(labelled(&TableCsv::target("kind"), b"kind,a,kind \nx,1,x\n")), expected);
    let (csv, file) = (TableCsv::target("y").inputs(["a"]), b"b,a,b,y\n1,2,3,4\n");
    assert!(text(labelled(&csv, file)).contains("\"b\" in columns 1 and 3"));
    let unnamed = TableCsv::target("y").inputs(["", "a"]);
    assert!(text(labelled(&unnamed, b",a,,y\n1,2,3,4\n")).contains("\"\" in columns 1 and 3"));
}

#[test]
fn what_is_not_utf_8_is_named_by_row_and_column() {
    let help =
        "Save the file as UTF-8; if it comes from Windows, `iconv -f WINDOWS-1252 -t UTF-8` may do it.";
    let csv = TableCsv::target("kind");
    let fails = |file: &[u8], place: &str, found: &str| {
        let expected = format!("f.csv: {place} must be UTF-8, got {found}. {help}");
        assert_eq!(text(labelled(&csv, file)), expected);
    };
    fails(b"a,kind\n1,x\n2,K\xf6ln\n", "row 2, column \"kind\"", "the byte 0xf6 in \"K\u{fffd}ln\"");
    fails(b"a,kind\n\xa01,x\n", "row 1, column \"a\"", "the byte 0xa0 in \"\u{fffd}1\"");
    fails(b"Fl\xe4che,kind\n1,x\n", "the header, column 1", "the byte 0xe4 in \"Fl\u{fffd}che\"");
    let wide: Vec<u8> = "\u{feff}a,kind\n1,x\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(text(labelled(&csv, &wide)).contains("It looks like UTF-16."));
}

#[test]
fn columns_without_a_name_are_left_out_and_it_is_said() {
    let remark = |place, name: &str| {
        format!(
            "f.csv: column {place} ({name:?}) is left out: it has no name, as an index that was written along. \
             Name the columns to be read by `inputs` if it is more."
        )
    };
    let csv = TableCsv::target("kind");
    let data = labelled(&csv, b",size,kind\n0,5,a\n1,6,b\n").unwrap();
    assert_eq!((data.inputs().shape(), data.remarks()), (&[2, 1][..], &[remark(1, "")][..]));
    let data = labelled(&csv, b"Unnamed: 0,size,kind,\n0,5,a,x\n1,6,b,y\n").unwrap();
    assert_eq!(data.remarks(), [remark(1, "Unnamed: 0"), remark(4, "")]);
    let asked = csv.clone().inputs(["Unnamed: 0", "size"]);
    let data = labelled(&asked, b"Unnamed: 0,size,kind\n7,5,a\n1,6,b\n").unwrap();
    assert_eq!((data.inputs()[[0, 0]], data.remarks().len()), (7.0, 0));
    // Parts and modified copies of a data set have the remarks, too.
    let data = labelled(&csv, b",size,kind\n0,5,a\n1,6,b\n").unwrap();
    let (train, _) = random_split::<f32, _>(&data, 0.5, 1).unwrap();
    let normalizer = Normalizer::standard().fit::<f32, _>(&data).unwrap();
    assert_eq!(Dataset::<f32>::remarks(&normalizer.apply(&train)), [remark(1, "")]);
    assert!(text(labelled(&csv, b",kind\n0,a\n")).contains("a column beside the target"));
}

#[test]
fn a_class_that_reads_like_a_missing_value_is_said() {
    let file = b"size,port\n1,S\n2,?\n3,C\n4,?\n5,NULL\n6,nan\n7,N/A\n8,None\n";
    let csv = TableCsv::target("port");
    let data = labelled(&csv, file).unwrap();
    assert_eq!((data.class_names().len(), data.remarks().len()), (7, 4));
    assert_eq!(
        data.remarks()[0],
        "f.csv: \"?\" is a class, of 2 rows, and reads like a missing value; `missing([\"?\"])` counts it as one, and a \
         list of `classes` with it says that it is none."
    );
    let listed = csv.clone().classes(["S", "C", "?", "NULL", "nan", "N/A", "None"]);
    assert!(labelled(&listed, file).unwrap().remarks().is_empty());
    let marked = csv.missing(["?", " NULL", "nan", "N/A"]);
    assert_eq!(
        text(labelled(&marked, file)),
        "f.csv: row 2, column \"port\" must be a class, got nothing, by the mark \"?\". Fill it in, or leave such \
         rows out with `skip_faulty`."
    );
    let data = labelled(&marked.skip_faulty(true), file).unwrap();
    assert_eq!(data.class_names(), ["C", "None", "S"]);
    assert!(
        data.remarks()[0].starts_with("f.csv: 5 rows left out:\n  row 2, column \"port\" must be a class")
    );
    let numbers = TableCsv::target("y").missing(["-"]).read_from::<f32>(&b"a,y\n-,1\n"[..], "f.csv");
    assert!(text(numbers).contains("a finite number, got nothing, by the mark \"-\""));
    let texts = LabelledTexts::new(vec!["a", "b"], &["x", "NA"]).unwrap();
    assert!(texts.remarks()[0].starts_with("\"NA\" is a class, of 1 row, and reads like a missing value"));
}

#[test]
fn classes_that_look_the_same_are_said() {
    let csv = TableCsv::target("kind");
    let alike = |file: &str, expected: &[&str]| {
        let data = labelled(&csv, file.as_bytes()).unwrap();
        let tail =
            "look the same and are two classes. Write them alike in the data if they are meant to be one.";
        let expected: Vec<String> = expected.iter().map(|pair| format!("f.csv: {pair} {tail}")).collect();
        assert_eq!(data.remarks(), expected);
    };
    alike(
        "a,kind\n1,cat\n2,cat\u{200b}\n3,cat\n4,dog\n",
        &["\"cat\" (of 2 rows) and \"cat\\u{200b}\" (of 1 row)"],
    );
    alike("a,kind\n1,\u{feff}dog\n2,dog\n", &["\"dog\" (of 1 row) and \"\\u{feff}dog\" (of 1 row)"]);
    alike(
        "a,kind\n1,caf\u{e9}\n2,cafe\u{301}\n3,cafe\n",
        &["\"cafe\\u{301}\" (of 1 row) and \"caf\\u{e9}\" (of 1 row)"],
    );
    alike("a,kind\n1,café\n2,Café\n3,東京\n", &[]);
    let known = labelled(&csv.clone().classes(["cat", "cat\u{200b}"]), "a,kind\n1,cat\u{200b}\n".as_bytes());
    assert!(known.unwrap().remarks().is_empty());
    let texts = LabelledTexts::new(vec!["a", "b"], &["x", "x\u{feff}"]).unwrap();
    assert!(texts.remarks()[0].starts_with("\"x\" (of 1 row) and \"x\\u{feff}\""), "{:?}", texts.remarks());
    let many: String = (0..15).map(|i| format!("1,k{i}\n1,k{i}\u{200b}\n")).collect();
    let remarks = labelled(&csv, format!("a,kind\n{many}").as_bytes()).unwrap().remarks().to_vec();
    assert_eq!((remarks.len(), &remarks[10][..]), (11, "f.csv: 5 more pairs of classes look the same."));
}

/// -999 and -999.0 are the same number, so one marker matches both.
#[test]
fn a_mark_that_is_a_number_stands_for_each_spelling_of_it() {
    let csv = TableCsv::target("y").missing(["-999", "?"]);
    let expected = |row: usize, column: &str, nothing: &str| {
        format!(
            "f.csv: row {row}, column {column:?} must be a finite number, got {nothing}. Fill it in, name the \
             columns to be read by `inputs`, or leave such rows out with `skip_faulty`."
        )
    };
    let mark = "is the mark \"-999\"";
    for (file, row, column, nothing) in [
        ("a,y\n1,2\n-999.0,2\n", 2, "a", format!("nothing: \"-999.0\" {mark}")),
        ("a,y\n1,\" -9.99e2\"\n", 1, "y", format!("nothing: \"-9.99e2\" {mark}")),
        ("a,y\n-999,2\n", 1, "a", "nothing, by the mark \"-999\"".to_owned()),
        ("a,y\n1,?\n", 1, "y", "nothing, by the mark \"?\"".to_owned()),
    ] {
        let found = text(csv.read_from::<f32>(file.as_bytes(), "f.csv"));
        assert_eq!(found, expected(row, column, &nothing));
        let temporary = Temporary::new("marks.csv", file.as_bytes());
        let stream = text(csv.stream::<f32>(&temporary.0));
        assert_eq!(stream.replace(&temporary.0.display().to_string(), "f.csv"), found);
    }
    // Other numbers are not markers, and classes are compared as texts.
    let file = b"a,y\n999,-999.0\n-998.9,x\n";
    assert_eq!(labelled(&csv, file).unwrap().class_names(), ["-999.0", "x"]);
    let zero = TableCsv::target("y").missing(["0"]).skip_faulty(true);
    let data = zero.read_from::<f32>(&b"a,y\n0.00,1\n-0,1\n1e-9,1\n"[..], "f.csv").unwrap();
    assert_eq!(data.inputs().column_iter_of(0), [1e-9]);
}

#[test]
fn rows_that_are_left_out_leave_the_others_and_their_numbers_alone() {
    let mut file = b"a,b,y\n".to_vec();
    for row in 1..=40 {
        let line = match row % 4 {
            1 => format!("{row},2,{}\n", row % 3),
            2 => format!("{row},,{}\n", row % 3),
            3 => format!("{row}\n"),
            _ => format!("{row},2,\n\n"),
        };
        file.extend_from_slice(line.as_bytes());
    }
    let csv = TableCsv::target("y").skip_faulty(true);
    let data = labelled(&csv, &file).unwrap();
    assert_eq!(data.inputs().column_iter_of(0), (0..10).map(|i| (4 * i + 1) as f32).collect::<Vec<_>>());
    let said = &data.remarks()[0];
    assert!(said.starts_with("f.csv: 30 rows left out:\n  row 2, column \"b\" must be"), "{said}");
    assert!(said.lines().count() == 12 && said.ends_with("\n  and 20 more"), "{said}");
    // Each of the three kinds of advice is given once, however many rows it is for.
    for remedy in ["name the columns to be read", "Put quotes around", "nothing. Fill it in, or leave"] {
        assert_eq!(said.matches(remedy).count(), 1, "{remedy} in {said}");
    }
    assert!(text(labelled(&csv, b"a,y\n,x\n")).contains("the table must have rows, got only faulty ones"));
    for torn in [&b"a,y\n1,\"x\"z\n2,y\n"[..], b"a,y\n2,y\n1,\"x\n"] {
        assert!(text(labelled(&csv, torn)).contains("must have its quotes in pairs"));
    }
    // A stream of classes is opened for one element type. Read as f64, row 3 becomes the second row that is kept.
    let file = Temporary::new("rows.csv", b"a,y\n1,x\n,x\n1e39,x\n");
    assert_eq!(csv.stream_labelled::<f32>(&file.0).unwrap().targets(), &vec![0]);
    let strict = TableCsv::target("y").missing(["?"]).stream_labelled::<f32>(&file.0).unwrap_err();
    assert!(strict.to_string().contains("row 2, column \"a\""), "{strict}");
    let stream = csv.stream_labelled::<f64>(&file.0).unwrap();
    let read =
        |indices: &[usize]| stream.read(indices, Pass::Evaluate, &mut Batch::<f32, Vec<usize>>::default());
    read(&[0]).unwrap();
    assert!(text(read(&[0, 1])).contains("row 3, column \"a\" must be finite in f32, got \"1e39\""));
    stream.read(&[1], Pass::Evaluate, &mut Batch::<f64, Vec<usize>>::default()).unwrap();
}

/// Access to a column of the inputs.
trait Column {
    fn column_iter_of(&self, column: usize) -> Vec<f32>;
}

impl Column for plywood::ndarray::ArrayD<f32> {
    fn column_iter_of(&self, column: usize) -> Vec<f32> {
        self.outer_iter().map(|row| row[[column]]).collect()
    }
}

#[test]
fn a_number_that_is_too_large_for_f32_is_named_by_row_and_column() {
    let expected = |column: &str| {
        format!(
            "f.csv: row 2, column {column:?} must be finite in f32, got \"1e39\". Give the column in a larger \
             unit, or read it as `f64`."
        )
    };
    let csv = TableCsv::target("y");
    for (file, column) in [("a,y\n1,2\n1e39,2\n", "a"), ("a,y\n1,2\n1,1e39\n", "y")] {
        assert_eq!(text(csv.read_from::<f32>(file.as_bytes(), "f.csv")), expected(column));
        let temporary = Temporary::new("large.csv", file.as_bytes());
        let stream = text(csv.stream::<f32>(&temporary.0));
        assert_eq!(stream.replace(&temporary.0.display().to_string(), "f.csv"), expected(column));
        csv.read_from::<f64>(file.as_bytes(), "f.csv").unwrap();
    }
    let edge = "a,y\n3.4028235e38,-3.4028235e38\n";
    csv.read_from::<f32>(edge.as_bytes(), "f.csv").unwrap();
    // If the table is read as f64 and trained on as f32, the value is found before the first step and named by its
    // sample.
    let wide = TableCsv::target("k").read_labelled_from::<f64>(&b"a,k\n1,x\n1e39,z\n"[..], "f.csv").unwrap();
    let mut model = Sequential::builder([1]).layer(Dense::units(2)).layer(Softmax).build().unwrap();
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).progress(Progress::Silent);
    let found = text(trainer.batch_size(2).fit(&mut model, &wide));
    assert!(found.contains("column \"a\" of sample 1 must be finite in f32, got "), "{found}");
}

#[test]
fn another_separator_is_recognized_and_a_long_header_is_cut() {
    let many: String = (0..300).map(|i| format!("column {i};")).collect();
    for (separator, shown) in [(b';', ";"), (b'\t', "\\t"), (b'|', "|")] {
        let file =
            format!("{many}y\n{}1\n", "1;".repeat(300)).replace(';', &char::from(separator).to_string());
        let found = text(TableCsv::target("y").read_from::<f32>(file.as_bytes(), "f.csv"));
        assert!(found.len() < 300, "{found}");
        let help = format!("The separator looks like `{shown}`: `.separator(b'{shown}')` takes it.");
        assert!(found.starts_with("f.csv: the header must have a column \"y\", got \"column 0"));
        assert!(found.ends_with(&help), "{found}");
        let csv = TableCsv::target("y").separator(separator);
        let data = csv.read_from::<f32>(file.as_bytes(), "f.csv").unwrap();
        assert_eq!(data.inputs().shape(), [1, 300]);
    }
    let commas = TableCsv::target("y").separator(b';').read_from::<f32>(&b"a,y\n1,2\n"[..], "f.csv");
    assert!(text(commas).ends_with("The separator looks like `,`: `.separator(b',')` takes it."));
    let many = format!("{many}y\n").replace(';', ",");
    let found = text(TableCsv::target("z").read_from::<f32>(many.as_bytes(), "f.csv"));
    assert!(found.ends_with("\"column 9\" and 291 more. Name a column that exists."), "{found}");
    let mac = text(TableCsv::target("y").read_from::<f32>(&b"a,y\r1,2\r"[..], "f.csv"));
    assert!(
        mac.ends_with("Lines seem to end in carriage returns alone: convert them to line feeds."),
        "{mac}"
    );
    let comment = text(TableCsv::target("y").read_from::<f32>(&b"# made today\na,y\n1,2\n"[..], "f.csv"));
    assert!(comment.ends_with("not a comment in CSV: take such lines out of the file."), "{comment}");
    let quote = text(TableCsv::target("y").separator(b'"').read_from::<f32>(&b"a,y\n1,2\n"[..], "f.csv"));
    assert!(quote.contains("the separator must be a byte other than a quote or a line end"), "{quote}");
    let german = TableCsv::target("y").separator(b';').read_from::<f32>(&b"a;y\n1,5;2\n"[..], "f.csv");
    assert!(
        text(german)
            .ends_with("Write numbers with a decimal point and without separators between thousands.")
    );
}

/// R's `write.csv2` puts names in quotes, so splitting at commas breaks the quotes.
#[test]
fn another_separator_is_recognized_behind_names_in_quotes() {
    for (separator, shown) in [(";", ";"), ("\t", "\\t"), ("|", "|")] {
        let file = "\"a\";\"y\"\n1;2\n".replace(';', separator);
        let expected = format!(
            "f.csv: the header must have its quotes in pairs, got a closing quote that is not followed by a \
             separator or the end of the line. The separator looks like `{shown}`: `.separator(b'{shown}')` takes \
             it."
        );
        let csv = TableCsv::target("y");
        assert_eq!(text(csv.read_from::<f32>(file.as_bytes(), "f.csv")), expected);
        assert_eq!(text(labelled(&csv, file.as_bytes())), expected);
        let data = labelled(&csv.separator(separator.as_bytes()[0]), file.as_bytes()).unwrap();
        assert_eq!(data.class_names(), ["2"]);
        #[cfg(feature = "csv")]
        assert_eq!(
            text(plywood::data::TextCsv::columns("a", "y").read_from(file.as_bytes(), "f.csv")),
            expected
        );
    }
    let commas = TableCsv::target("y").separator(b';');
    assert!(text(labelled(&commas, b"\"a\",\"y\"\n1,2\n")).ends_with("`.separator(b',')` takes it."));
    let torn = text(labelled(&TableCsv::target("y"), b"\"a\"b,y\n1,2\n"));
    assert!(
        torn.ends_with("Write a quote inside of quotes twice; the rows after it cannot be told apart."),
        "{torn}"
    );
}

/// Excel reads the separator from a line before the header.
#[test]
fn a_line_that_names_the_separator_is_taken_as_that() {
    let csv = TableCsv::target("y");
    let rows = "a;y\r\n1;p\r\n;q\r\n";
    for line in ["sep=;", "\"sep=;\"", "SEP=;", "\u{feff}sep=;"] {
        let file = format!("{line}\r\n{rows}");
        assert_eq!(
            text(labelled(&csv, file.as_bytes())),
            "f.csv: the header must have `,` between the names, got the line `sep=;`. The line names the separator: \
             `.separator(b';')` takes it."
        );
        let semicolon = csv.clone().separator(b';');
        let found = text(labelled(&semicolon, file.as_bytes()));
        assert!(found.starts_with("f.csv: row 2, column \"a\" must be"), "{found}");
        let data = labelled(&semicolon.skip_faulty(true), file.as_bytes()).unwrap();
        assert_eq!(
            (data.inputs().column_iter_of(0), data.class_names().join("")),
            (vec![1.0], "p".to_owned())
        );
        #[cfg(feature = "csv")]
        {
            let texts = plywood::data::TextCsv::columns("y", "a").separator(b';').skip_faulty(true);
            let read = texts.read_from(file.as_bytes(), "f.csv").unwrap();
            assert_eq!((read.texts.texts().join(""), read.skipped[0].0), ("1".to_owned(), 2));
        }
    }
    assert_eq!(labelled(&csv, b"sep=,\na,y\n1,p\n").unwrap().len(), 1);
    let tab = text(labelled(&csv, b"sep=\t\na\ty\n1\tp\n"));
    assert!(
        tab.ends_with("got the line `sep=\\t`. The line names the separator: `.separator(b'\\t')` takes it.")
    );
    assert!(text(labelled(&csv, b"sep=,\n")).contains("got an empty file"));
    assert_eq!(labelled(&csv, b"sep=a,y\n1,p\n").unwrap().len(), 1);
}

#[test]
fn quoted_line_ends_are_read_in_tables_of_numbers() {
    let file = b"\xef\xbb\xbf\"the\nsize\",note,kind\r\n1,\"two\r\n\r\nlines, \"\"so\"\"\",\"a\nb\"\r\n\r\n2,\"\n\",c\n3,x,\"a\nb\"";
    let data = labelled(&TableCsv::target("kind").inputs(["the\nsize"]), file).unwrap();
    assert_eq!(
        (data.targets(), data.class_names()),
        (&vec![0, 1, 0], &["a\nb".to_owned(), "c".to_owned()][..])
    );
    assert_eq!(data.inputs().column_iter_of(0), [1.0, 2.0, 3.0]);
}

#[cfg(feature = "csv")]
#[test]
fn gzip_is_read_where_a_file_is_read_whole() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"a,y\n1,2\n3,4\n").unwrap();
    let bytes = encoder.finish().unwrap();
    let (file, csv) = (Temporary::new("table.csv.gz", &bytes), TableCsv::target("y"));
    assert_eq!(csv.read::<f32>(&file.0).unwrap().targets().sum(), 6.0);
    assert_eq!(csv.read_labelled::<f32>(&file.0).unwrap().class_names(), ["2", "4"]);
    for end in 2..bytes.len() {
        assert!(csv.read_from::<f32>(&bytes[..end], "f.csv").is_err(), "{end}");
    }
    assert_eq!(
        text(csv.stream::<f32>(&file.0)),
        format!(
            "{}: the file must be uncompressed, got gzip data. Unpack it (`gunzip`) to read it \
             batch by batch, or read it whole into memory: `TableCsv::read`, `idx::read`.",
            file.0.display()
        )
    );
}

#[cfg(feature = "csv")]
#[test]
fn texts_follow_the_same_rules() {
    use plywood::data::TextCsv;
    let read = |csv: &TextCsv, file: &[u8]| csv.read_from(file, "f.csv");
    let csv = TextCsv::columns("kind ", "text");
    let rows = read(&csv, b" kind,text \ncat,one\n\"cat \", two \nNULL,three\n").unwrap();
    assert_eq!(rows.texts.class_names(), ["NULL", "cat"]);
    assert_eq!(rows.texts.texts()[1], " two "); // texts are not trimmed
    assert!(rows.to_string().contains("\n\"NULL\" is a class, of 1 row, and reads like a missing value"));
    let twice = text(read(&csv, b"kind,text,kind\na,b,c\n"));
    assert!(twice.contains("\"kind\" in columns 1 and 3"), "{twice}");
    let same = text(read(&TextCsv::columns("text", "text "), b"kind,text\na,b\n"));
    assert!(
        same.contains(
            "the columns must be different, one for labels and one for texts, got \"text\" for both"
        ),
        "{same}"
    );
    let latin = text(read(&csv, b"kind,text\nx,one\nK\xf6ln,two\n"));
    assert!(
        latin.contains("row 2, column \"kind\" must be UTF-8, got the byte 0xf6 in \"K\u{fffd}ln\""),
        "{latin}"
    );
    let tabs = b"kind\ttext\na\tone, two\n";
    assert!(
        text(read(&csv, tabs)).ends_with("The separator looks like `\\t`: `.separator(b'\\t')` takes it.")
    );
    assert_eq!(read(&csv.clone().separator(b'\t'), tabs).unwrap().texts.texts(), ["one, two"]);
    let faulty = format!("kind,text\na,one\n{}", "b\n".repeat(11_407));
    let said = read(&csv.skip_faulty(true), faulty.as_bytes()).unwrap().to_string();
    assert!(said.starts_with("1 text in 1 class\nf.csv: 11407 rows left out:\n  row 2 must have 2 fields"));
    assert!(said.lines().count() == 13 && said.ends_with("\n  and 11397 more"), "{said}");
}

/// Returns the folder with real tables, if there is one.
fn real() -> Option<PathBuf> {
    let folder = std::env::var_os("PLYWOOD_CSV_DIR").map(PathBuf::from)?;
    folder.is_dir().then_some(folder)
}

#[test]
fn real_tables() {
    let Some(folder) = real() else { return };
    let path = |name: &str| folder.join(name);
    let titanic = TableCsv::target("embarked").inputs(["pclass", "sibsp"]);
    let data = titanic.read_labelled::<f32>(path("titanic.csv")).unwrap();
    assert!(data.remarks()[0].contains("\"?\" is a class, of 2 rows"), "{:?}", data.remarks());
    let data = titanic.missing(["?"]).skip_faulty(true).read_labelled::<f32>(path("titanic.csv")).unwrap();
    assert_eq!((data.len(), data.class_names().len()), (1_307, 3));
    let birds = TableCsv::target("Effect Amount of damage").inputs(["Cost Other", "Speed IAS in knots"]);
    let data = birds.skip_faulty(true).read_labelled::<f32>(path("birdstrikes.csv")).unwrap();
    assert_eq!(data.len(), 10_000 - 2_836);
    let water = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let below = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
        TableCsv::target("mean_va").inputs(["month_nu", "count_nu"]).read_from::<f32>(below.as_bytes(), "w")
    };
    assert!(text(water(&path("waterservices_stats.txt"))).contains("The separator looks like `\\t`"));
    let quoted = TableCsv::target("grade").inputs(["score"]);
    let data =
        quoted.missing(["None"]).skip_faulty(true).read_labelled::<f32>(path("ugly/3-quoted.csv")).unwrap();
    assert!(data.remarks()[0].contains("45 rows left out"), "{:?}", data.remarks());
    assert!(data.remarks()[1].contains("\"Nan\" is a class"), "{:?}", data.remarks());
    let latin = text(TableCsv::target("n").separator(b';').read_labelled::<f32>(path("ugly/5-latin1.csv")));
    assert!(latin.contains("row 1, column \"name\" must be UTF-8"), "{latin}");
    let open = text(TableCsv::target("label").inputs(["a"]).read_labelled::<f32>(path("ugly/8-quote.csv")));
    assert!(open.contains("row 1 must have its quotes"), "{open}");
    #[cfg(feature = "csv")]
    {
        let rooms = TableCsv::target("Room Type").inputs(["Number of Records", "Number Of Reviews"]);
        let data = rooms.read_labelled::<f32>(path("airbnb.csv.gz")).unwrap();
        assert_eq!((data.len(), data.class_names().len()), (30_478, 3));
        let error =
            text(TableCsv::target("Price").inputs(["Number Of Reviews"]).read::<f32>(path("airbnb.csv.gz")));
        assert!(
            error.contains("row 102, column \"Price\"") && error.contains("between thousands"),
            "{error}"
        );
        let error = text(
            TableCsv::target("Code_BuildingSizeClass").read_labelled::<f32>(path("episcope-tabula.csv.gz")),
        );
        assert!(error.contains("The separator looks like `;`") && error.len() < 1_000, "{error}");
    }
}
