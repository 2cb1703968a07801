//! A small, untrained model of each kind, the same at each run.

use plywood::data::{Column, DateFormat, Table};
use plywood::prelude::*;
use plywood::preprocessing::TextEncoder;
use std::path::Path;

/// Fashion-MNIST's classes.
pub const GARMENTS: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Images of 28 by 28 pixels: the network of the example `fashion_mnist`, untrained.
pub fn fashion() -> Result<Predictor> {
    let model = network([28, 28], 10)?;
    Predictor::new(model).input(Image::grey(28, 28)).output(Classes::named(GARMENTS)).build()
}

fn network(shape: impl Into<Vec<usize>>, units: usize) -> Result<Sequential> {
    Sequential::builder(shape)
        .seed(7)
        .layer(Flatten)
        .layer(Dense::units(128))
        .layer(ReLU)
        .layer(Dense::units(units))
        .layer(Softmax)
        .build()
}

/// Short texts.
pub fn texts() -> Result<Predictor> {
    let train = ["a fast library", "a library for images", "a slow game", "a game of words"];
    let vocabulary = Vocabulary::of(Tokenizer::words()).fit(&train)?;
    let model = Sequential::builder([8])
        .seed(3)
        .layer(EmbeddingBag::vocabulary(vocabulary.len(), 8).padding(Vocabulary::PADDING))
        .layer(Dense::units(2))
        .layer(Softmax)
        .build()?;
    let classes = Classes::named(["tool", "toy"]);
    Predictor::new(model).input(TextEncoder::new(vocabulary, 8)).output(classes).build()
}

/// Rows of a table with a column of each kind.
pub fn table() -> Result<Predictor> {
    let dates = [Some("2024-01-31"), Some("2025-06-01"), None, Some("2023-12-24")];
    let table = Table::new([
        Column::numbers("age", [22.0, 38.0, f64::NAN, 26.0])?,
        Column::booleans("member", [Some(true), Some(false), None, Some(true)]),
        Column::categories("port", [Some("S"), Some("C"), Some("S"), None]),
        Column::dates("since", DateFormat::new("%Y-%m-%d")?, dates)?,
    ])?;
    let columns = Columns::all().fit(&table.whole())?;
    let model = Sequential::builder([columns.width()])
        .seed(5)
        .layer(Dense::units(8))
        .layer(ReLU)
        .layer(Dense::units(2))
        .layer(Softmax)
        .build()?;
    Predictor::new(model).input(columns).output(Classes::named(["no", "yes"]).threshold(0.4)).build()
}

/// Two numbers in the units of a target, from four features.
pub fn numbers() -> Result<Predictor> {
    let model = Sequential::builder([4]).seed(9).layer(Dense::units(2)).build()?;
    let numbers = Numbers::named(["width", "height"]).unit("cm");
    Predictor::new(model).input(Features::of_shape([4])).output(numbers).build()
}

/// Labels of an image in colours, and a number: several inputs and outputs.
pub fn product() -> Result<Predictor> {
    let g = Graph::builder();
    let photo = g.input("photo", [3, 16, 16]).layer(Flatten).layer(Dense::units(8)).layer(ReLU);
    let row = g.input("row", [1]).layer(Dense::units(4)).layer(ReLU);
    let both = photo.concat(&[row], -1);
    g.output("tags", both.layer(Dense::units(3)).layer(Sigmoid));
    g.output("price", both.layer(Dense::units(1)));
    Predictor::new(g.seed(11).build()?)
        .input_named("photo", Image::rgb(16, 16))
        .input_named("row", Features::named(["weight"]))
        .output_named("tags", Labels::named(["new", "sale", "red"]))
        .output_named("price", Numbers::named(["price"]).unit("EUR"))
        .build()
}

/// A model without blocks.
pub fn raw() -> Result<Sequential> {
    network([784], 10)
}

/// A table whose names are HTML, with more categories than a list to choose from shows, and classes that must be nearly
/// certain.
pub fn names() -> Result<Predictor> {
    let hostile = "<img src=x onerror=alert(1)>";
    let towns: Vec<String> = (0..40).map(|town| format!("<b>town {town}</b>")).collect();
    let dates = DateFormat::new("%d.%m.%Y")?;
    let table = Table::new([
        Column::numbers(hostile, (0..40).map(f64::from))?,
        Column::categories("<i>town</i>", towns.iter().map(|town| Some(town.as_str()))),
        Column::dates("__proto__", dates, (0..40).map(|_| Some("31.12.1999")))?,
    ])?;
    let columns = Columns::all().fit(&table.whole())?;
    let classes = Classes::named([hostile, "<b>other</b>"]).threshold(0.999);
    let model =
        Sequential::builder([columns.width()]).seed(2).layer(Dense::units(2)).layer(Softmax).build()?;
    Predictor::new(model).input(columns).output(classes).build()
}

/// Saves all, and `raw.plywood`, a model without blocks.
pub fn save_all(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::custom)?;
    let all = [
        ("fashion", fashion()?),
        ("texts", texts()?),
        ("table", table()?),
        ("numbers", numbers()?),
        ("product", product()?),
        ("names", names()?),
    ];
    all.iter().try_for_each(|(name, predictor)| predictor.save(folder.join(format!("{name}.plywood"))))?;
    raw()?.save(folder.join("raw.plywood"))
}
