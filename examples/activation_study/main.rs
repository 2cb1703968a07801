//! The experiments of a first lecture on deep learning, each repeated with several seeds to show the spread.
//!
//! ```sh
//! cargo run --example activation_study -- --quick
//! cargo run --example activation_study -- --help
//! ```
//!
//! docs/study.md reports the results.

use plywood::prelude::*;

mod comparisons;
mod images;
mod options;
mod parallel;
#[cfg(feature = "plots")]
mod pictures;
mod results;
mod setting;
mod table;

fn main() -> Result<()> {
    let options = options::Options::from_args();
    let (mut data, drawn) = images::load()?;
    if let Some(images) = options.images {
        data = data.first(images);
    }
    println!("{} images, four fifths for training, {} seeds", data.len(), options.seeds);

    let mut comparisons = comparisons::all();
    comparisons.retain(|it| options.only.is_empty() || options.only.iter().any(|name| name == it.name));
    for comparison in &mut comparisons {
        comparison.networks.retain(|(_, setting)| setting.width <= options.widest);
        // The published accuracies hold for all of the real data and ten epochs.
        if drawn || options.images.is_some() || options.epochs.is_some() {
            comparison.published = &[];
        }
        for (_, setting) in &mut comparison.networks {
            setting.epochs = options.epochs.unwrap_or(setting.epochs);
        }
    }
    let results = results::all(&comparisons, &data, &options)?;

    let mut report = serde_json::Map::new();
    for comparison in &comparisons {
        let figures = table::figures(comparison, &results);
        table::print(comparison, &figures);
        report.insert(comparison.name.to_owned(), serde_json::to_value(figures).map_err(Error::custom)?);
    }
    if let Some(folder) = &options.pictures {
        #[cfg(feature = "plots")]
        pictures::draw(folder, &comparisons, &results, &data, options.seeds)?;
        #[cfg(not(feature = "plots"))]
        println!("\nno figures in {}: they need the feature plots", folder.display());
    }
    if drawn {
        println!("\nNOT Fashion-MNIST: synthetic images");
    }
    if options.json {
        let data = if drawn { "drawn" } else { "fashion-mnist" };
        println!("{}", serde_json::json!({ "data": data, "seeds": options.seeds, "comparisons": report }));
    }
    Ok(())
}
