//! Real CSV files, if the environment variable `PLYWOOD_CSV_DIR` names their folder: rows, types and counts are those of
//! its types.json.

use plywood::data::ColumnType;
use plywood::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The folder, or `None`, which is said.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("PLYWOOD_CSV_DIR").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: PLYWOOD_CSV_DIR does not name the folder of the real tables");
    }
    folder
}

/// Compares each column with that of types.json.
fn check(table: &Table, expected: &Value) {
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    assert_eq!(
        (table.rows(), table.columns().len()),
        (number(&expected["rows"]), number(&expected["columns"]))
    );
    for (column, expected) in table.columns().zip(expected["column"].as_array().unwrap()) {
        let name = expected["name"].as_str().unwrap();
        // pandas names columns without a name "Unnamed: 331".
        assert_eq!(column.name(), name.trim().trim_start_matches("Unnamed: "));
        assert_eq!(column.missing(), number(&expected["missing"]), "{name}");
        let distinct = number(&expected["distinct"]);
        let kind = match column.column_type() {
            ColumnType::Number => "number",
            ColumnType::Date(_) => "date",
            _ => "text",
        };
        // A column without a value may have any type.
        assert!(distinct == 0 || expected["kind"] == kind, "{name}: {kind}");
        if distinct == 0 {
            continue;
        }
        if kind != "number" {
            if let Ok(categories) = column.as_categories() {
                assert_eq!(categories.words().len(), distinct, "{name}");
                for (word, count) in expected["top"].as_object().unwrap() {
                    // Longer ones are cut there.
                    if word.chars().count() >= 60 {
                        continue;
                    }
                    let place = categories.words().iter().position(|known| known.trim() == word.trim());
                    let place = place.unwrap_or_else(|| panic!("{name}: {word:?}"));
                    let found = categories.codes().filter(|code| *code == Some(place)).count();
                    assert_eq!(found, number(count), "{name}: {word}");
                }
            }
            continue;
        }
        let numbers: Vec<f64> =
            column.as_numbers().unwrap().iter().copied().filter(|x| !x.is_nan()).collect();
        let of = |key: &str| expected[key].as_f64().unwrap();
        let (low, high) =
            numbers.iter().fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
        assert_eq!((low, high), (of("min"), of("max")), "{name}");
        let sum: f64 = numbers.iter().sum();
        assert!((sum - of("sum")).abs() <= 1e-9 * of("sum").abs().max(1.0), "{name}: {sum}");
        let mut sorted = numbers;
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        assert_eq!(sorted.len(), distinct, "{name}");
    }
}

#[test]
fn real_files_are_what_pandas_makes_of_them() {
    let Some(folder) = folder() else { return };
    let types: Value = serde_json::from_slice(&std::fs::read(folder.join("types.json")).unwrap()).unwrap();
    let file = |name: &str| Csv::file(folder.join(name));
    for (name, csv) in [
        // What had to be said by hand is all that stands here.
        ("episcope-tabula.csv", file("episcope-tabula.csv.gz").encoding("windows-1252")),
        ("airbnb.csv", file("airbnb.csv.gz")),
        ("birdstrikes.csv", file("birdstrikes.csv")),
        (
            "waterservices_stats.txt",
            file("waterservices_stats.txt").skip_rows(1).column("ts_id", ColumnType::Category),
        ),
        ("titanic.csv", file("titanic.csv")),
        ("amazonReviewSnippets_GroundTruth.txt", file("amazonReviewSnippets_GroundTruth.txt")),
    ] {
        let table = csv.read().unwrap_or_else(|error| panic!("{name}: {error}"));
        check(&table, &types[name]);
        let text = table.to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 100 || !line.contains(' ')), "{text}");
        let pieces: usize = csv.pieces(1_000).unwrap().map(|piece| piece.unwrap().rows()).sum();
        assert_eq!(pieces, table.rows());
    }
}

/// Each of the small tables by hand: a table of so many rows, columns and remarks, or an error with these parts.
#[test]
fn ugly_files_are_right_or_an_error_with_both_readings() {
    let Some(folder) = folder() else { return };
    let file = |name: &str| Csv::file(folder.join("ugly").join(name));
    let fails = |name: &str, parts: &[&str]| {
        let text = file(name).read().unwrap_err().to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{name}: {text}");
    };
    fails("1-german.csv", &["\"Einwohner\"", "74370 with a decimal comma", "Mietspiegel as well"]);
    fails("1b-thousands.csv", &["839.39 with a decimal point", "839390 with a decimal comma"]);
    fails("2-dates.csv", &["\"opened\"", "row 1 as %d.%m.%Y", "row 2 as %Y-%m-%d"]);
    fails("2b-mixed.csv", &["\"day\"", "row 1 as %m/%d/%Y", "row 2 as %d/%m/%Y"]);
    fails("5-latin1.csv", &["row 1, column \"name\"", "encoding(\"windows-1252\")"]);
    fails("7-short.csv", &["row 2 must have 3 fields"]);
    fails("8-quote.csv", &["row 1 must have its quotes in pairs"]);
    fails("8b-quote-last.csv", &["row 2 must have its quotes in pairs"]);
    let german =
        file("1-german.csv").decimal_comma(true).number_format("Mietspiegel", '.', None).read().unwrap();
    let first = ["Einwohner", "Miete", "Mietspiegel"]
        .map(|name| german.column(name).unwrap().as_numbers().unwrap()[0]);
    assert_eq!(first, [74_370.0, 2613.53, 7.25]);
    assert_eq!(german.column("PLZ").unwrap().column_type(), &ColumnType::Category);
    let quoted = file("3-quoted.csv").read().unwrap();
    assert_eq!((quoted.rows(), quoted.columns().next().unwrap().name()), (120, "name"));
    let sorted = file("4-sorted.csv").read().unwrap();
    assert!(
        sorted.remarks().iter().any(|text| text.contains("\"customer_id\": no value occurs twice: an id?"))
    );
    let names =
        |name: &str| file(name).read().unwrap().columns().map(|c| c.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names("4b-noheader.csv"), ["0", "1", "2"]);
    assert_eq!(names("4c-years.csv"), ["country", "2019", "2020", "2021", "grew"]);
    let commas = file("6-commas.csv").read().unwrap();
    assert_eq!((commas.columns().len(), commas.column("0").unwrap().as_numbers().unwrap()[0]), (3, 6.59));
    let classes = file("9-float-classes.csv").read().unwrap();
    assert_eq!(classes.column("label").unwrap().column_type(), &ColumnType::Number);
    assert_eq!(classes.folder(), Some(Path::new(&folder).join("ugly").as_path()));
}

/// Fits a recipe in the way of the docs, saves it, loads it, and answers the file itself by pieces as the table.
fn becomes_a_predictor(file: &Path, table: &Table, recipe: Recipe) -> plywood::train::Evaluation {
    let fitted = recipe
        .validation_split(0.25)
        .seed(1)
        .fit(table)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    println!("{}\n{fitted}\n", file.display());
    let blocks = plywood::predictor::Blocks::builtin();
    let bytes = fitted.predictor.to_bytes().unwrap();
    let loaded = Predictor::from_bytes(&bytes, &Registry::builtin(), &blocks).unwrap();
    let expected = fitted.predictor.predict_table(table).unwrap();
    let mut rows = 0;
    let count = loaded.predict_csv(file, |piece, answers| {
        for (answer, expected) in answers.iter().zip(&expected[rows..]) {
            assert_eq!(answer.to_string(), expected.to_string());
        }
        rows += piece.rows();
        Ok(())
    });
    assert_eq!((count.unwrap(), rows), (table.rows(), table.rows()));
    fitted.evaluation.unwrap()
}

fn mlp() -> Recipe {
    Recipe::new()
        .model(|plan| {
            let layers = Sequential::builder(plan.shape()).layer(Dense::units(32)).layer(ReLU);
            layers.layer(Dense::units(plan.units()))
        })
        .trainer(|plan| {
            let epochs = (40_000 / plan.rows()).clamp(2, 30);
            Trainer::new(CrossEntropy::default().from_logits(true), Adam::default())
                .epochs(epochs)
                .progress(Progress::Silent)
        })
}

fn numbers() -> Recipe {
    mlp().trainer(|plan| {
        let epochs = (40_000 / plan.rows()).clamp(2, 30);
        Trainer::new(MeanSquaredError, Adam::default()).epochs(epochs).progress(Progress::Silent)
    })
}

#[cfg(feature = "csv")]
#[test]
fn real_files_become_predictors() {
    let Some(folder) = folder() else { return };
    let file = folder.join("titanic.csv");
    let table = Table::csv(&file).unwrap();
    let left_out = ["survived", "name", "ticket", "cabin", "boat", "body", "home.dest"];
    let recipe = mlp().input(Columns::all_but(left_out)).output(Classes::column("survived"));
    assert!(becomes_a_predictor(&file, &table, recipe).get("accuracy") > Some(0.74));

    let file = folder.join("birdstrikes.csv");
    let table = Table::csv(&file).unwrap();
    let left_out = ["Effect Amount of damage", "Cost Other", "Cost Repair", "Cost Total $"];
    let recipe = mlp()
        .input(Columns::all_but(left_out).min_count(5))
        .output(Classes::column("Effect Amount of damage"));
    assert!(becomes_a_predictor(&file, &table, recipe).get("accuracy") > Some(0.86));

    let file = folder.join("airbnb.csv.gz");
    let table = Table::csv(&file).unwrap();
    let columns = [
        "Host Since",
        "Neighbourhood",
        "Property Type",
        "Room Type",
        "Beds",
        "Number Of Reviews",
        "Review Scores Rating",
    ];
    let recipe = numbers().input(Columns::of(columns)).output(Numbers::column("Price").unit("$").log());
    assert!(becomes_a_predictor(&file, &table, recipe).get("mean_absolute_error") < Some(75.0));

    let file = folder.join("waterservices_stats.txt");
    let table = Csv::file(&file).skip_rows(1).column("ts_id", ColumnType::Category).read().unwrap();
    let columns = ["site_no", "parameter_cd", "month_nu", "day_nu", "begin_yr", "end_yr", "count_nu"];
    let recipe = numbers().input(Columns::of(columns)).output(Numbers::column("mean_va"));
    assert!(becomes_a_predictor(&file, &table, recipe).get("r2") > Some(0.8));

    let file = folder.join("episcope-tabula.csv.gz");
    let table = Csv::file(&file).encoding("windows-1252").read().unwrap();
    let is_input = |column: &&plywood::data::Column| {
        column.column_type() == &ColumnType::Number && column.missing() < 2_000
    };
    let columns: Vec<String> =
        table.columns().filter(is_input).map(|column| column.name().to_owned()).collect();
    assert!(columns.len() > 150, "{}", columns.len());
    let recipe = mlp().input(Columns::of(columns)).output(Classes::column("Code_BuildingSizeClass"));
    assert!(becomes_a_predictor(&file, &table, recipe).get("accuracy") > Some(0.6));

    let file = folder.join("amazonReviewSnippets_GroundTruth.txt");
    let table = Csv::file(&file).header(false).read().unwrap();
    let recipe = numbers()
        .input(Text::column("2").max_size(5_000).min_count(2).length(48))
        .output(Numbers::column("1"))
        .model(|plan| {
            let words = EmbeddingBag::vocabulary(plan.ids(), 16).padding(Vocabulary::PADDING);
            Sequential::builder(plan.shape()).layer(words).layer(Dense::units(plan.units()))
        });
    assert!(becomes_a_predictor(&file, &table, recipe).get("r2") > Some(0.05));
}
