//! Three inputs and two outputs out of one CSV file: from the title, the photo and the price of a product its category
//! and how often it is sent back.
//!
//! ```sh
//! cargo run --example products                                              # a few seconds
//! cargo run --example products -- --data shop --save products.plywood       # keeps the data, saves the predictor
//! cargo run --example predict -- products.plywood shop/products.csv --json
//! ```
//!
//! The products are drawn: this is no real shop. No input is enough: bags and books have square photos, clocks and plates
//! round ones; a third of the titles does not say what the product is; prices overlap. Some prices and return rates are
//! missing.

use image::{Rgb, RgbImage};
use plywood::prelude::*;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[path = "support/args.rs"]
mod args;
#[path = "support/memory.rs"]
mod memory;

const HELP: &str = "\
Draws products as a CSV file with photos, and trains a network that predicts the category and the return rate of a
product from its title, its photo and its price.

usage: cargo run --example products -- [OPTIONS]

  --products N    products to draw                                (600)
  --epochs N      passes over the data                            (20)
  --seed N        seed of products, weights, split and shuffling  (0)
  --threads N     number of threads                               (PLYWOOD_NUM_THREADS, else all cores)
  --data DIR      where the drawn products are written            (a temporary folder, deleted at the end)
  --save FILE     writes the predictor, for the example predict
  --json          prints the results as one line of JSON at the end
  --help          shows this help

A fifth of the products is for validation.";

/// The side of a photo, in pixels.
const SIDE: usize = 24;

/// A category: its name, whether its photo is round, its usual price, and how many of 100 are sent back.
const CATEGORIES: [(&str, bool, f64, f64); 4] = [
    ("bag", false, 60.0, 12.0),
    ("book", false, 15.0, 3.0),
    ("clock", true, 45.0, 8.0),
    ("plate", true, 12.0, 5.0),
];

fn main() -> Result<()> {
    let mut args = args::Args::new(HELP);
    let (products, epochs) = (args.number("--products", 600), args.number("--epochs", 20));
    let (seed, threads) = (args.number("--seed", 0), args.number("--threads", plywood::threads()));
    let (data, save) = (args.text("--data").map(PathBuf::from), args.text("--save"));
    let json = args.flag("--json");
    args.finish();
    plywood::set_threads(threads)?;

    let temporary = std::env::temp_dir().join(format!("plywood-products-{}", std::process::id()));
    let folder = data.as_ref().unwrap_or(&temporary);
    println!("NOT a real shop: {products} products are drawn, in {}\n", folder.display());
    draw(folder, products, seed)
        .map_err(|error| Error::io("write", folder, error).help("Check the permission to write there."))?;
    let result = run(folder, epochs, seed, save.as_deref(), json);
    if data.is_none() {
        std::fs::remove_dir_all(&temporary).map_err(|error| Error::io("delete", &temporary, error))?;
    }
    result
}

/// Trains on the products of a folder, and prints the results.
fn run(folder: &Path, epochs: usize, seed: u64, save: Option<&str>, json: bool) -> Result<()> {
    // Without types, both columns could be taken for categories.
    let csv = Csv::file(folder.join("products.csv"));
    let table = csv.column("title", ColumnType::Text).column("photo", ColumnType::Text).read()?;
    println!("{table}");

    let recipe = Recipe::new()
        .input_named("title", Text::column("title").length(8))
        .input_named("photo", Image::rgb(SIDE, SIDE).column("photo")) // a path relative to the CSV file
        .input_named("price", Columns::of(["price"]).log())
        .output_named("category", Classes::column("category"))
        .output_named("returns", Numbers::column("returns").unit("%"))
        .model(|plan| {
            let g = Graph::builder();
            let words = EmbeddingBag::vocabulary(plan.ids_of("title"), 16).padding(Vocabulary::PADDING);
            let title = g.input("title", plan.shape_of("title")).layer(words);
            let photo = g
                .input("photo", plan.shape_of("photo"))
                .layer(Conv2d::filters(8, 3))
                .layer(ReLU)
                .layer(MaxPool2d::window(2))
                .layer(Conv2d::filters(16, 3))
                .layer(ReLU)
                .layer(MaxPool2d::window(2))
                .layer(Flatten)
                .layer(Dense::units(16))
                .layer(ReLU);
            let price = g.input("price", plan.shape_of("price"));
            let all = title.concat(&[photo, price], -1).layer(Dense::units(32)).layer(ReLU);
            g.output("category", all.layer(Dense::units(plan.units_of("category"))).layer(Softmax));
            g.output("returns", all.layer(Dense::units(plan.units_of("returns"))));
            g
        })
        .trainer(move |_| {
            let losses =
                Losses::of("category", CrossEntropy::default()).and("returns", MeanSquaredError, 0.5);
            Trainer::new(losses, Adam::default()).epochs(epochs).learning_rate(3e-3)
        })
        .validation_split(0.2)
        .seed(seed);
    let fitted = recipe.fit(&table)?;
    println!("\n{fitted}");

    // A row as a server gets it; the photo is a file, or the bytes of an upload: `Raw::image(bytes)`.
    let row = serde_json::json!({"title": "a nice gift", "price": 58.0});
    let photo = folder.join("photos/0000.png");
    let answer = fitted.predictor.predict(Row::from(&row).with("photo", Raw::file(&photo)))?;
    println!("\n{row} with {}:\n{answer}", photo.display());
    println!("{}", serde_json::to_string(&answer).map_err(Error::custom)?);
    if let Some(file) = save {
        fitted.predictor.save(file)?;
        println!("\nask it: cargo run --example predict -- {file} FILE.csv");
    }
    if json {
        let score = |name| fitted.evaluation.as_ref().and_then(|evaluation| evaluation.get(name));
        let report = serde_json::json!({
            "data": "drawn",
            "products": table.rows(),
            "seed": seed,
            "threads": plywood::threads(),
            "epochs": fitted.history.epochs.len(),
            "train_seconds": fitted.history.seconds(),
            "val_accuracy": score("category_accuracy"),
            "val_returns_error": score("returns_mean_absolute_error"),
            "peak_rss_mb": memory::peak_rss_mb(),
        });
        println!("{report}");
    }
    Ok(())
}

/// Draws products: `products.csv`, and a photo of each in `photos`.
fn draw(folder: &Path, products: u64, seed: u64) -> std::io::Result<()> {
    std::fs::create_dir_all(folder.join("photos"))?;
    let mut file = String::from("title,photo,price,category,returns\n");
    let place = Random::seed(seed).child("products");
    for i in 0..products {
        let mut draws = place.at(i, 0);
        let (category, round, usual, returned) = CATEGORIES[draws.below(4)];
        let noun =
            if draws.unit() < 1.0 / 3.0 { ["gift", "thing", "find"][draws.below(3)] } else { category };
        let look = ["nice", "small", "red", "handmade", "vintage"][draws.below(5)];
        let price = usual * (0.4 * draws.normal()).exp();
        // Vintage products are sent back more often, and those that are expensive for their kind.
        let more = if look == "vintage" { 6.0 } else { 0.0 } + 3.0 * (price / usual).ln();
        let returns = (returned + more + draws.normal()).max(0.0);
        let mut field = |number: String| if draws.unit() < 0.05 { String::new() } else { number };
        let (price, returns) = (field(format!("{price:.2}")), field(format!("{returns:.1}")));
        let photo = format!("photos/{i:04}.png");
        // Writing to a text cannot fail.
        let _ = writeln!(file, "a {look} {noun},{photo},{price},{category},{returns}");
        picture(round, &place, i).save(folder.join(photo)).map_err(std::io::Error::other)?;
    }
    std::fs::write(folder.join("products.csv"), file)
}

/// Draws a photo: a square or a disc of any colour, anywhere, with noise.
fn picture(round: bool, place: &Random, i: u64) -> RgbImage {
    let mut draws = place.at(i, 1);
    let (x, y) = (draws.uniform(9.0, 15.0), draws.uniform(9.0, 15.0));
    let radius = draws.uniform(5.0, 8.0);
    let colour = [(); 3].map(|()| draws.uniform(0.0, 160.0));
    RgbImage::from_fn(SIDE as u32, SIDE as u32, |column, row| {
        let (dx, dy) = ((f64::from(column) - x).abs(), (f64::from(row) - y).abs());
        let inside = if round { dx.hypot(dy) < radius } else { dx.max(dy) < 0.9 * radius };
        let tone = if inside { colour } else { [225.0; 3] };
        Rgb(tone.map(|tone| (tone + 12.0 * draws.normal()).clamp(0.0, 255.0) as u8))
    })
}
