//! Tests of encoders of columns.

use super::*;
use crate::codec;
use crate::data::{Column, ColumnType, DateFormat, Table};
use crate::error::Result;
use crate::preprocessing::{InputBlock, Notes, Remark};
use crate::tensor::Tensor;
use serde::{Serialize, de::DeserializeOwned};

fn numbers(name: &str, numbers: &[f64]) -> Column {
    Column::numbers(name, numbers.iter().copied()).unwrap()
}

fn words(name: &str, words: &[&str]) -> Column {
    Column::categories(name, words.iter().map(|word| Some(*word).filter(|word| !word.is_empty())))
}

fn dates(name: &str, dates: &[&str]) -> Column {
    let format = DateFormat::new("%Y-%m-%d %H:%M").unwrap();
    let seconds = dates.iter().map(|date| format.parse(date).unwrap_or(f64::NAN)).collect();
    Column::of_numbers(name.into(), ColumnType::Date(format), seconds).unwrap()
}

fn table(columns: impl IntoIterator<Item = Column>) -> Table {
    Table::new(columns).unwrap()
}

/// The rows, and the remarks as "0 age was missing".
fn encoded(block: &impl InputBlock, table: &Table) -> (Vec<f32>, Vec<String>) {
    let mut notes = Notes::new();
    let tensor = block.encode_table(table, &mut notes).unwrap();
    assert_eq!(tensor.shape(), [&[table.rows()], &block.shape()[..]].concat());
    let name = |field: usize| block.fields()[field].name.clone();
    let said = notes.iter().map(|(row, field, remark)| format!("{row} {} {remark}", name(field))).collect();
    (tensor.iter().copied().collect(), said)
}

fn bits(block: &impl InputBlock, table: &Table) -> Vec<u32> {
    encoded(block, table).0.into_iter().map(f32::to_bits).collect()
}

fn error<T>(result: Result<T>) -> String {
    result.err().expect("an error").to_string()
}

/// Returns the value as it comes back from a file, and from JSON.
fn returned<T: Serialize + DeserializeOwned>(value: &T) -> [T; 3] {
    let alone = codec::decode(&codec::encode(value).unwrap(), "a block").unwrap();
    let (bytes, arrays) = codec::numbers::measure(value).unwrap();
    struct Apart(Vec<Vec<u8>>);
    impl codec::numbers::Sink for Apart {
        fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
            self.0.push(bytes.to_vec());
            Ok(())
        }
        fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
            self
        }
    }
    let Apart(apart) = codec::numbers::write(value, Apart(Vec::new())).unwrap().unwrap();
    assert!(apart.iter().map(Vec::len).eq(arrays.iter().map(|array| array.count as usize)));
    let apart = apart.into_iter().map(|bytes| Box::new(bytes) as codec::numbers::Numbers).collect();
    let in_file = codec::numbers::read(&bytes, apart, "a block").unwrap();
    let json = serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap();
    [alone, in_file, json]
}

/// A table of all types with gaps, of this many rows.
fn mixed(rows: usize) -> Table {
    let x = |i: usize| if i % 7 == 3 { f64::NAN } else { ((i * 7919) % 1013) as f64 / 3.0 - 20.0 };
    let ports = ["S", "C", "", "Q", "S", "rare"];
    let port = |i: usize| ports[(i * 31 + i / 5) % if i.is_multiple_of(50) { 6 } else { 5 }];
    let since = |i: usize| if i % 11 == 5 { f64::NAN } else { (i * 86_400 * 3 + i * 3_600) as f64 };
    let date = ColumnType::Date(DateFormat::new("%Y-%m-%d").unwrap());
    table([
        numbers("x", &(0..rows).map(x).collect::<Vec<_>>()),
        numbers("gain", &(0..rows).map(|i| ((i % 13) as f64).exp()).collect::<Vec<_>>()),
        words("port", &(0..rows).map(port).collect::<Vec<_>>()),
        Column::booleans("alone", (0..rows).map(|i| (i % 9 != 4).then_some(i % 4 == 0))),
        Column::of_numbers("since".into(), date, (0..rows).map(since).collect()).unwrap(),
    ])
}

fn all_kinds() -> Columns {
    let quantiles = Scaling::Quantile { quantiles: 50 };
    Columns::all().min_count(5).column("gain", |c| c.log()).column("x", |c| c.scaling(quantiles))
}

#[test]
fn each_type_has_its_default() {
    let train = table([
        numbers("age", &[1.0, f64::NAN, 3.0, 8.0]),
        words("port", &["S", "C", "", "S"]),
        Column::booleans("alone", [Some(true), None, Some(false), Some(true)]),
        dates("since", &["2020-01-06 00:00", "2020-01-07 00:00", "2020-02-10 00:00", ""]),
    ]);
    let encoder = Columns::all().scaling(Scaling::None).fit(&train.whole()).unwrap();
    let names = [
        "age",
        "age missing",
        "port=C",
        "port=S",
        "port missing",
        "alone",
        "alone missing",
        "since days",
        "since month",
        "since weekday",
        "since missing",
    ];
    assert_eq!((encoder.names(), encoder.width()), (names.map(str::to_owned).to_vec(), 11));
    let (rows, said) = encoded(&encoder, &train);
    let expected = [
        [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 18_267.0, 1.0, 0.0, 0.0],
        [3.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 18_268.0, 1.0, 1.0, 0.0],
        [3.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 18_302.0, 2.0, 0.0, 0.0],
        [8.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 18_268.0, 1.0, 1.0, 1.0],
    ];
    assert_eq!(rows, expected.concat());
    assert_eq!(
        said,
        ["1 age was missing", "2 port was missing", "1 alone was missing", "3 since was missing"]
    );
    assert_eq!(encoder.categories("port").collect::<Vec<_>>(), ["C", "S"]);
    assert_eq!(encoder.categories("age").count(), 0);
}

#[test]
fn the_training_part_alone_is_fitted() {
    let all = table([numbers("x", &[1.0, 2.0, 9.0, 100.0, 1e6]), words("w", &["a", "b", "b", "c", "c"])]);
    let part = all.part(vec![2, 0, 1]).unwrap();
    let encoder = Columns::all().scaling(Scaling::None).fit(&part).unwrap();
    assert_eq!(encoder.names(), ["x", "w=a", "w=b"]);
    let later = table([numbers("x", &[f64::NAN, 100.0]), words("w", &["c", ""])]);
    let (rows, said) = encoded(&encoder, &later);
    assert_eq!(rows, [2.0, 0.0, 0.0, 100.0, 0.0, 0.0]); // the median is not 9
    let expected = [
        "0 x was missing",
        "1 x 100 is beyond the range of training",
        "0 w \"c\" is unknown",
        "1 w was missing",
    ];
    assert_eq!(said, expected);
    let whole = Columns::all().scaling(Scaling::None).fit(&all.whole()).unwrap();
    assert_eq!(encoded(&whole, &later).0[0], 9.0);
}

#[test]
fn settings_of_a_column_go_first() {
    let data =
        table([numbers("a", &[0.0, 3.0]), numbers("b", &[1f64.exp() - 1.0, 0.0]), words("w", &["x", "y"])]);
    let range = Scaling::MinMax { low: -1.0, high: 1.0 };
    let columns = Columns::of(["w", "b", "a"]).column("b", |c| c.log().scaling(Scaling::None));
    let encoder = columns.scaling(range).column("w", |c| c.ordinal()).fit(&data.whole()).unwrap();
    assert_eq!(encoded(&encoder, &data).0, [0.0, 1.0, -1.0, 1.0, 0.0, 1.0]);
    let (later, said) =
        encoded(&encoder, &table([words("w", &["z", ""]), numbers("b", &[0.0; 2]), numbers("a", &[6.0; 2])]));
    assert_eq!((later, said.len()), (vec![-1.0, 0.0, 3.0, -2.0, 0.0, 3.0], 4));
}

#[test]
fn rare_categories_train_the_place_of_unknown_ones() {
    let data = table([words("w", &["b", "a", "b", "c", "a", ""])]);
    let encoder = Columns::all().min_count(2).fit(&data.whole()).unwrap();
    assert_eq!(encoder.names(), ["w=a", "w=b", "w unknown", "w missing"]);
    let (rows, said) = encoded(&encoder, &data.select(&[3, 5]).unwrap());
    assert_eq!(rows, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(said, ["0 w \"c\" is unknown", "1 w was missing"]);
    let bare = Columns::all().indicator(false).fit(&data.whole()).unwrap();
    assert_eq!(bare.names(), ["w=a", "w=b", "w=c"]);
    assert_eq!(encoded(&bare, &table([words("w", &["", "d"])])).0, [0.0; 6]);
}

#[test]
fn constants_are_zeros_and_dates_keep_their_days() {
    let same = "2021-05-06 07:00";
    let data = table([numbers("x", &[0.1; 3]), dates("d", &[same; 3]), words("w", &["only"; 3])]);
    let encoder = Columns::all().fit(&data.whole()).unwrap();
    assert_eq!(encoder.names(), ["x", "d days", "w=only"]);
    assert_eq!(encoded(&encoder, &data).0, [0.0, 0.0, 1.0].repeat(3));
    let later = table([numbers("x", &[1.1]), dates("d", &["2021-05-07 19:00"]), words("w", &["only"])]);
    let (row, said) = encoded(&encoder, &later);
    assert_eq!((row, said.len()), (vec![1.0, 1.5, 1.0], 2));
}

#[test]
fn rows_have_the_same_bits_in_any_table() {
    let all = mixed(1_000);
    let encoder = all_kinds().fit(&all.part((0..700).collect()).unwrap()).unwrap();
    let (expected, width) = (bits(&encoder, &all), encoder.width());
    for size in [1, 2, 3, 255, 256, 257, 999] {
        let pieces = (0..1_000).collect::<Vec<_>>();
        let rows = pieces.chunks(size).flat_map(|rows| bits(&encoder, &all.select(rows).unwrap()));
        assert_eq!(rows.collect::<Vec<_>>(), expected, "{size}");
    }
    // Neither does the order of the rows count, nor how many there are beside the part.
    let turned: Vec<usize> = (0..700).rev().collect();
    let other = all_kinds().fit(&all.select(&turned).unwrap().whole()).unwrap();
    assert_eq!(other, encoder);
    assert_eq!(expected.len(), 1_000 * width);
}

#[test]
fn what_is_saved_comes_back_to_the_bit() {
    let all = mixed(300);
    let encoder = all_kinds().fit(&all.whole()).unwrap();
    let expected = bits(&encoder, &all);
    for back in returned(&encoder) {
        assert_eq!(
            (bits(&back, &all), back.names(), back.fields()),
            (expected.clone(), encoder.names(), encoder.fields())
        );
        assert_eq!(back, encoder);
    }
    let ids = CategoryIds::column("port").fit(&all.whole()).unwrap();
    for back in returned(&ids) {
        assert_eq!((bits(&back, &all), back.len()), (bits(&ids, &all), ids.len()));
    }
}

#[test]
fn many_words_are_stored_apart() {
    let many: Vec<String> = (0..200_000).map(|i| format!("brand number {i}")).collect();
    let data = table([Column::categories("brand", many.iter().map(Some))]);
    let ids = CategoryIds::column("brand").min_count(1).fit(&data.whole()).unwrap();
    let (described, arrays) = codec::numbers::measure(&ids).unwrap();
    assert!(described.len() < 20 && arrays.len() == 1, "{} {arrays:?}", described.len());
    assert_eq!(encoded(&ids, &data.select(&[0, 199_999]).unwrap()).0.len(), 2);
    let text = error(Columns::all().fit(&data.whole()));
    assert!(text.starts_with(
        "fit columns: column \"brand\" must have at most 10,000 different categories, got 200,000."
    ));
    assert_eq!(Columns::all().max_categories(200_000).fit(&data.whole()).unwrap().width(), 200_000);
}

#[test]
fn ids_count_from_the_most_frequent() {
    let data = table([words("w", &["b", "a", "b", "c", "a", "", "d", "b"])]);
    let ids = CategoryIds::column("w").fit(&data.whole()).unwrap();
    assert_eq!((ids.len(), ids.categories().collect::<Vec<_>>()), (4, vec!["b", "a"]));
    assert_eq!((ids.id("a"), ids.id("c"), ids.shape(), ids.fields().len()), (Some(3), None, vec![], 1));
    let (rows, said) = encoded(&ids, &data);
    assert_eq!(rows, [2.0, 3.0, 2.0, 1.0, 3.0, 0.0, 1.0, 2.0]);
    assert_eq!(said, ["3 w \"c\" is unknown", "5 w was missing", "6 w \"d\" is unknown"]);
    let all = CategoryIds::column("w").min_count(1).fit(&data.whole()).unwrap();
    assert_eq!(all.categories().collect::<Vec<_>>(), ["b", "a", "c", "d"]);
    assert!(error(CategoryIds::column("w").min_count(4).fit(&data.whole())).contains("got 3 rows at most"));
}

#[test]
fn targets_are_never_taken() {
    let data = table([numbers("x", &[1.0, 2.0]), numbers("y", &[1.0, 2.0])]);
    assert_eq!(Columns::all().excluding(&["y"]).fit(&data.whole()).unwrap().names(), ["x"]);
    let text = error(Columns::of(["x", "y"]).excluding(&["y"]).fit(&data.whole()));
    assert_eq!(
        text,
        "fit columns: the columns must be different ones, and no target, weights or groups, got \"y\", which is not for inputs. \
         Leave it out."
    );
}

#[test]
fn a_number_that_overflows_names_its_place() {
    let data = table([numbers("x", &[0.0, 1e-30]), numbers("y", &[-0.5, 2.0])]);
    let encoder = Columns::all().column("y", |c| c.log()).fit(&data.whole()).unwrap();
    let encode = |x: f64, y: f64| {
        error::<Tensor>(
            encoder
                .encode_table(&table([numbers("x", &[0.0, x]), numbers("y", &[0.0, y])]), &mut Notes::new()),
        )
    };
    assert_eq!(
        encode(1e10, 0.0),
        "row 2, column \"x\" must be finite in f32 when it is prepared, got 1e10. Correct the number, or leave the row out."
    );
    assert_eq!(
        encode(0.0, -1.0),
        "row 2, column \"y\" must be above -1, as the logarithm of 1 + x is taken, got -1. Correct the number, or leave `log` out."
    );
}

#[test]
fn columns_that_do_not_fit_are_errors() {
    let texts = Column::texts("title", [Some("a b"), Some("c")]);
    let gone = numbers("gone", &[f64::NAN; 2]);
    let data = table([numbers("x", &[1.0, -3.0]), words("w", &["", ""]), texts, gone]);
    let fit = |columns: Columns| error(columns.fit(&data.whole()));
    for (columns, expected) in [
        (
            Columns::all(),
            "the columns must be of numbers, booleans, dates or categories, got \"title\" (a text). Leave",
        ),
        (
            Columns::of(["gone"]),
            "column \"gone\" must have a value in a row of the training part, got none. Leave it out.",
        ),
        (
            Columns::of(["w"]),
            "column \"w\" must have a value in a row of the training part, got none. Leave it out.",
        ),
        (Columns::all_but(["y"]), "the table must have a column \"y\", got x, w, title, gone."),
        (
            Columns::of(["x", "x"]),
            "the columns must be different ones, and no target, weights or groups, got \"x\" twice.",
        ),
        (Columns::of::<&str>([]), "the columns must be at least one, got none."),
        (
            Columns::of(["x"]).log(),
            "column \"x\" must be above -1, as the logarithm of 1 + x is taken, got -3.",
        ),
        (
            Columns::of(["x"]).column("x", |c| c.ordinal()),
            "column \"x\" must be one of categories to have the setting `ordinal`, got one of which each is a number.",
        ),
        (Columns::of(["x"]).fill(Fill::Constant(f64::NAN)), "the constant to fill with must be a finite"),
        (Columns::of(["x"]).scaling(Scaling::Quantile { quantiles: 1 }), "`quantiles` must be from 2 to"),
        (Columns::of(["x"]).scaling(Scaling::MinMax { low: 1.0, high: 0.0 }), "the range must be a lower"),
    ] {
        let text = fit(columns);
        assert!(text.starts_with(&format!("fit columns: {expected}")), "{text}");
    }
    assert!(
        error(Columns::of(["x"]).fit(&data.part(vec![]).unwrap())).contains("must have at least one row")
    );
    let encoder = Columns::of(["x"]).fit(&data.whole()).unwrap();
    assert_eq!(
        error(encoder.encode_table(&table([words("x", &["a"])]), &mut Notes::new())),
        "column \"x\" must hold a number in each row, got a category. Give the column the type that it had in training."
    );
}

#[test]
fn hostile_encoders_are_refused() {
    let data = table([
        numbers("x", &[1.0, 2.0, 4.0, f64::NAN]),
        numbers("q", &[1.0, 2.0, 4.0, 5.0]),
        words("w", &["a", "b", "a", "c"]),
        dates("d", &["2020-01-06 00:00", "2020-01-07 00:00", "2020-02-10 00:00", ""]),
    ]);
    let columns = Columns::all().column("q", |c| c.scaling(Scaling::Quantile { quantiles: 3 }));
    let encoder = columns.fit(&data.whole()).unwrap();
    let json = serde_json::to_string(&encoder).unwrap();
    let cases = [
        (r#""center":2.25"#, r#""center":"NaN""#),
        (r#""fill":2.0"#, r#""fill":"inf""#),
        (r#""low":1.0,"high":4.0"#, r#""low":5.0,"high":4.0"#),
        (r#""low":1.0,"high":4.0,"log":false"#, r#""low":-1.0,"high":4.0,"log":true"#),
        (r#"["a","b","c"]"#, r#"["b","a","c"]"#),
        (r#"["a","b","c"]"#, r#"["a","a","c"]"#),
        (r#"["a","b","c"]"#, "[]"),
        (r#""name":"w""#, r#""name":"x""#),
        (r#""column_type":"Category""#, r#""column_type":"Number""#),
        (r#""ordinal":false,"unknown":false"#, r#""ordinal":true,"unknown":true"#),
        (r#"{"Quantile":[1.0,3.0,5.0]}"#, r#"{"Quantile":[1.0,3.0,2.0]}"#),
        (r#"{"Quantile":[1.0,3.0,5.0]}"#, r#"{"Quantile":[1.0]}"#),
    ];
    for (from, to) in cases {
        let bad = json.replacen(from, to, 1);
        assert_ne!(bad, json, "{from} in {json}");
        assert!(serde_json::from_str::<ColumnsEncoder>(&bad).is_err(), "{bad}");
    }
    assert!(serde_json::from_str::<ColumnsEncoder>(r#"{"columns":[]}"#).is_err());
    let bytes = codec::encode(&encoder).unwrap();
    for at in 0..bytes.len() {
        assert!(codec::decode::<ColumnsEncoder>(&bytes[..at], "columns").is_err());
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x81;
        if let Ok(read) = codec::decode::<ColumnsEncoder>(&flipped, "columns") {
            let _ = read.encode_table(&data, &mut Notes::new()); // an error or rows, but no panic
        }
    }
}

#[test]
fn notes_name_the_row_of_the_table() {
    let data = table([numbers("x", &(0..600).map(f64::from).collect::<Vec<_>>())]);
    let encoder = Columns::all().fit(&data.part((0..300).collect()).unwrap()).unwrap();
    let mut notes = Notes::new();
    encoder.encode_table(&data, &mut notes).unwrap();
    assert_eq!(notes.iter().len(), 300);
    assert_eq!(notes.iter().last(), Some((599, 0, &Remark::OutOfRange("599".into()))));
}
