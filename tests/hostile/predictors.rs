//! Predictors of all kinds of blocks, as files that are changed.

use super::{MOST_NUMBERS, bounded};
use plywood::data::{Column, ColumnType, Csv, DateFormat, Pixels};
use plywood::predictor::{Blocks, Raw, Row};
use plywood::prelude::*;
use plywood::preprocessing::{Scaling, TextEncoder};

/// Small predictors that together have every kind of block.
pub fn small() -> Vec<Vec<u8>> {
    let file = "x,y,port,fine,since,note,class\n1,0.5,S,yes,2024-01-31,a good deal,b\n2,7,C,no,2024-02-28,a bad one,a\n\
                3,,S,,2023-07-01,a deal,a\n4,9,,yes,,no,b\n";
    let table = Csv::bytes("f.csv", file).column("note", ColumnType::Text).read().unwrap();
    let row = Recipe::new()
        .input(
            Columns::of(["x", "y", "port", "fine", "since"])
                .column("y", |c| c.scaling(Scaling::Quantile { quantiles: 3 }).log()),
        )
        .output(Classes::column("class"))
        .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(plan.units())).layer(Softmax))
        .trainer(|_| Trainer::new(CrossEntropy::default(), Adam::default()).progress(Progress::Silent));
    let several = Recipe::new()
        .input_named("port", CategoryIds::column("port").min_count(1))
        .input_named("note", Text::column("note").min_count(1).length(3))
        .output(Numbers::column("x").unit("kg").log())
        .model(|plan| {
            let g = Graph::builder();
            let port = g.input("port", []).layer(Embedding::vocabulary(plan.ids_of("port"), 2));
            let note =
                g.input("note", [3]).layer(EmbeddingBag::vocabulary(plan.ids_of("note"), 2).padding(0));
            g.output("output", (port + note).layer(Dense::units(1)));
            g
        })
        .trainer(|_| Trainer::new(MeanSquaredError, Adam::default()).progress(Progress::Silent));
    let image =
        Sequential::builder([1, 2, 3]).layer(Flatten).layer(Dense::units(2)).layer(Sigmoid).build().unwrap();
    let image = Predictor::new(image)
        .input(Image::grey(2, 3).with_channel().normalize([0.5], [0.25]))
        .output(Labels::named(["a", "b"]).thresholds([0.5, 0.25]));
    let features = Sequential::builder([2]).layer(Dense::units(2)).build().unwrap();
    let normalizer =
        Normalizer::standard().fit_tensor(&ndarray::arr2(&[[1.0f32, 2.0], [3.0, 5.0]]).into_dyn()).unwrap();
    let features = Predictor::new(features)
        .input(Features::of_shape([2]).normalizer(normalizer).unwrap())
        .output(Numbers::unnamed());
    let vocabulary =
        Vocabulary::of(Tokenizer::words().bigrams(true).characters(2, 3)).fit(&["a b", "c"]).unwrap();
    let text = Sequential::builder([2]).layer(Dense::units(1)).build().unwrap();
    let text = Predictor::new(text)
        .input(TextEncoder::new(vocabulary, 2))
        .output(Classes::named(["a", "b"]).threshold(0.5));
    let built = [image, features, text].map(|builder| builder.build().unwrap());
    let fitted = [row, several].map(|recipe| recipe.fit(&table).unwrap().predictor);
    fitted.iter().chain(&built).map(|predictor| predictor.to_bytes().unwrap()).collect()
}

/// Loads a predictor, saves it again, and answers rows of usual and unusual values. Returns whether it loads.
pub fn predictor(bytes: &[u8]) -> bool {
    let (registry, blocks) = (Registry::builtin(), Blocks::builtin());
    let read = || Predictor::from_bytes(bytes, &registry, &blocks);
    let Ok(predictor) = bounded(bytes.len(), read) else { return false };
    let saved = predictor.to_bytes().expect("a predictor that was loaded");
    let again = Predictor::from_bytes(&saved, &registry, &blocks).expect("a predictor that was saved");
    assert_eq!(again.to_bytes().expect("the same"), saved);
    let ports = predictor.model().inputs().iter().chain(predictor.model().outputs());
    let large = |shape: &[usize]| {
        shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size)).is_none_or(|n| n > MOST_NUMBERS)
    };
    if ports.map(|port| port.shape().to_vec()).any(|shape| large(&shape)) {
        return true;
    }
    for usual in [true, false] {
        let row = predictor
            .fields()
            .iter()
            .fold(Row::new(), |row, field| row.with(&field.name, raw(&field.column_type, usual)));
        let _ =
            bounded(bytes.len(), || predictor.predict_many([row.clone(), row]).map(|answers| answers.len()));
    }
    true
}

fn raw(column_type: &ColumnType, usual: bool) -> Raw {
    match column_type {
        _ if !usual && !matches!(column_type, ColumnType::Image) => Raw::Missing,
        ColumnType::Number => Raw::Number(1e30),
        ColumnType::Boolean { yes, .. } => Raw::Text(yes.clone()),
        ColumnType::Date(format) if *format == DateFormat::new("%Y-%m-%d").unwrap() => {
            Raw::Text("9999-12-31".into())
        }
        ColumnType::Image => Pixels::rgba([1, 2], vec![7; 8]).unwrap().into(),
        ColumnType::Array(shape) => {
            Raw::Array { shape: shape.clone(), numbers: vec![1e30; shape.iter().product()] }
        }
        _ => Raw::Text("S a deal ?".into()),
    }
}

/// A column of a table is used by its name only, whatever it is.
pub fn odd_table(predictor: &Predictor) {
    let columns =
        predictor.fields().iter().map(|field| Column::categories(field.name.as_str(), [Some("a"), None]));
    if let Ok(table) = Table::new(columns) {
        let _ = predictor.predict_table(&table);
    }
}
