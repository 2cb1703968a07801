//! Columns of tables as numbers, compared with scikit-learn and pandas.
//!
//! Fitted statistics agree to 1e-12. What is encoded is `f32`: it is the reference, rounded to `f32`, but for numbers
//! that the last bits of `f64` bring to the other side of a rounding.

use plywood::data::{Column, DateFormat, Normalizer, Table};
use plywood::preprocessing::{
    CategoryIds, Columns, ColumnsEncoder, Features, Fill, InputBlock, Notes, Scaling,
};
use serde_json::Value;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../sklearn/columns.json")).unwrap());

fn numbers(value: &Value) -> Vec<f64> {
    let number = |x: &Value| if x.is_null() { f64::NAN } else { x.as_f64().unwrap() };
    value.as_array().unwrap().iter().map(number).collect()
}

fn words(value: &Value) -> Vec<Option<&str>> {
    value.as_array().unwrap().iter().map(Value::as_str).collect()
}

fn table(column: Column) -> Table {
    Table::new([column]).unwrap()
}

fn of_numbers(numbers: Vec<f64>) -> Table {
    table(Column::numbers("x", numbers).unwrap())
}

fn encode(block: &impl InputBlock, table: &Table) -> Vec<f32> {
    block.encode_table(table, &mut Notes::new()).unwrap().iter().copied().collect()
}

/// The fitted column, as it is saved.
fn saved(encoder: &ColumnsEncoder) -> Value {
    let json: Value = serde_json::from_str(&serde_json::to_string(encoder).unwrap()).unwrap();
    json["columns"][0]["step"]["Number"].clone()
}

fn agree(what: &str, found: f64, expected: f64) {
    let near = (found - expected).abs() <= 1e-12 * expected.abs();
    assert!(near, "{what}: {found:e} here, {expected:e} there");
}

/// Compares with the reference rounded to `f32`: nearly all are equal, and no one is a unit in the last place away. What
/// is near 0 may be a difference of large numbers: `scale` is that of their rounding errors.
fn equal(what: &str, found: &[f32], expected: &[f64], scale: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let mut other = 0;
    for (found, expected) in found.iter().zip(expected).filter(|(_, expected)| !expected.is_nan()) {
        other += usize::from((*found - *expected as f32).abs() > 1e-15 * scale as f32);
        let allowed = 1.2e-7 * expected.abs() + 1e-15 * scale;
        assert!((f64::from(*found) - expected).abs() <= allowed, "{what}: {found:e}, {expected:e}");
    }
    assert!(other <= found.len() / 50, "{what}: {other} of {}", found.len());
}

#[test]
fn numbers_are_scikit_learns() {
    for (name, column) in REFERENCE["columns"].as_object().unwrap() {
        let (x, y) = (of_numbers(numbers(&column["x"])), of_numbers(numbers(&column["y"])));
        let fit = |change: fn(Columns) -> Columns| {
            change(Columns::all().indicator(false)).fit(&x.whole()).unwrap_or_else(|error| panic!("{error}"))
        };
        for (fill, kind) in
            [("median", Fill::Median), ("mean", Fill::Mean), ("most_frequent", Fill::MostFrequent)]
        {
            let encoder = Columns::all().fill(kind).fit(&x.whole()).unwrap();
            let found = saved(&encoder)["fill"].as_f64().unwrap();
            agree(&format!("{name} {fill}"), found, column["fills"][fill].as_f64().unwrap());
        }
        let linear = |encoder: &ColumnsEncoder, of: &str, rounding: f64| {
            let (found, expected) = (&saved(encoder)["scale"]["Linear"], &column[of]);
            for part in ["center", "scale"] {
                let what = format!("{name} {of} {part}");
                agree(&what, found[part].as_f64().unwrap(), expected[part].as_f64().unwrap());
            }
            equal(&format!("{name} {of}"), &encode(encoder, &y), &numbers(&expected["y"]), rounding);
        };
        let spread = column["standard"]["scale"].as_f64().unwrap();
        let size = column["standard"]["center"].as_f64().unwrap().abs() / spread;
        linear(&fit(|columns| columns), "standard", size + 1.0);
        linear(
            &fit(|columns| columns.scaling(Scaling::MinMax { low: -1.0, high: 3.0 })),
            "range",
            size + 1.0,
        );
        if !column["log"].is_null() {
            // What has no logarithm is an error here.
            let kept = y.column("x").unwrap().as_numbers().unwrap().iter();
            let rows: Vec<usize> =
                kept.enumerate().filter(|(_, x)| x.is_nan() || **x > -1.0).map(|(row, _)| row).collect();
            let (encoder, expected) = (fit(Columns::log), numbers(&column["log"]["y"]));
            let found = encode(&encoder, &y.select(&rows).unwrap());
            let expected: Vec<f64> = rows.iter().map(|&row| expected[row]).collect();
            let [center, scale] = ["center", "scale"].map(|part| column["log"][part].as_f64().unwrap());
            let fitted = saved(&encoder)["scale"]["Linear"]["center"].as_f64().unwrap();
            agree(&format!("{name} log center"), fitted, center);
            equal(&format!("{name} log"), &found, &expected, center.abs() / scale + 1.0);
        }
        for case in column["quantile"].as_array().unwrap() {
            let quantiles = case["count"].as_u64().unwrap() as usize;
            let columns = Columns::all().indicator(false).scaling(Scaling::Quantile { quantiles });
            let encoder = columns.fit(&x.whole()).unwrap();
            let what = format!("{name} {quantiles} quantiles");
            let points = numbers(&saved(&encoder)["scale"]["Quantile"]);
            for (found, expected) in points.iter().zip(numbers(&case["points"])) {
                agree(&what, *found, expected);
            }
            equal(&what, &encode(&encoder, &y), &numbers(&case["y"]), 1.0);
        }
        let with_gaps = Columns::all().fit(&x.whole()).unwrap();
        if with_gaps.width() == 2 {
            let flags: Vec<f32> = encode(&with_gaps, &y).chunks(2).map(|row| row[1]).collect();
            equal(&format!("{name} missing"), &flags, &numbers(&column["missing"]), 0.0);
        }
    }
}

#[test]
fn categories_are_scikit_learns() {
    let reference = &REFERENCE["categories"];
    let of = |name: &str| table(Column::categories("w", words(&reference[name])));
    let (x, y) = (of("x"), of("y"));
    let encoder = Columns::all().fit(&x.whole()).unwrap();
    let names: Vec<Option<&str>> = encoder.categories("w").map(Some).collect();
    assert_eq!(names, words(&reference["names"]));
    equal("one-hot", &encode(&encoder, &y), &numbers(&reference["one_hot"]), 0.0);
    let ordinal = Columns::all().ordinal().fit(&x.whole()).unwrap();
    equal("ordinal", &encode(&ordinal, &y), &numbers(&reference["ordinal"]), 0.0);
    let ids = CategoryIds::column("w").min_count(1).fit(&x.whole()).unwrap();
    let known = words(&reference["y"]);
    let expected = known.iter().map(|word| word.map_or(0, |word| ids.id(word).unwrap_or(1)) as f32);
    assert!(encode(&ids, &y).into_iter().eq(expected));
}

#[test]
fn dates_are_those_of_pandas() {
    let reference = &REFERENCE["dates"];
    let format = DateFormat::new("%Y-%m-%d %H:%M:%S").unwrap();
    let dates = table(Column::dates("when", format.clone(), words(&reference["x"])).unwrap());
    let encoder = Columns::all().fit(&dates.whole()).unwrap();
    assert_eq!(
        encoder.names(),
        ["days", "year", "month", "weekday", "hour"].map(|part| format!("when {part}"))
    );
    equal("dates", &encode(&encoder, &dates), &numbers(&reference["standard"]), 100.0);
    let error = Column::dates("when", format, [None, Some("2020-02-30 00:00:00")]).unwrap_err().to_string();
    let expected = "row 2, column \"when\" must be a date as %Y-%m-%d %H:%M:%S, got \"2020-02-30 00:00:00\".";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn blocks_are_saved_as_json() {
    let data = Table::new([
        Column::numbers("x", [1.0, f64::NAN, 5.0]).unwrap(),
        Column::categories("w", [Some("a"), Some("b"), Some("a")]),
    ])
    .unwrap();
    let encoder = Columns::all().fit(&data.whole()).unwrap();
    let back: ColumnsEncoder = serde_json::from_str(&serde_json::to_string(&encoder).unwrap()).unwrap();
    assert_eq!(encode(&back, &data), encode(&encoder, &data));
    let normalizer =
        Normalizer::range(0.0, 1.0).fit_tensor(&ndarray::array![[0.0f32], [4.0]].into_dyn()).unwrap();
    let features = Features::named(["x"]).normalizer(normalizer).unwrap();
    let back: Features = serde_json::from_str(&serde_json::to_string(&features).unwrap()).unwrap();
    assert_eq!(encode(&back, &data.select(&[2, 0]).unwrap()), [1.25, 0.25]);
}
