//! Command-line options of the study.

use std::path::PathBuf;

pub struct Options {
    /// The names of the comparisons to run; empty for all.
    pub only: Vec<String>,
    pub seeds: u64,
    /// The number of runs in parallel.
    pub jobs: usize,
    /// Replaces each network's number of epochs.
    pub epochs: Option<usize>,
    /// The number of images to use.
    pub images: Option<usize>,
    /// Networks with wider hidden layers are left out.
    pub widest: usize,
    pub save: Option<PathBuf>,
    pub load: Option<PathBuf>,
    /// The folder for figures.
    pub pictures: Option<PathBuf>,
    pub json: bool,
}

const HELP: &str = "\
The experiments of a first lecture on deep learning, on Fashion-MNIST, each repeated with several seeds:
activations, batch sizes, dropout, width. Prints a table of means and standard deviations for each comparison.

usage: cargo run --example activation_study -- [OPTIONS]

  --quick           2 seeds, 2 epochs, 3,000 images, at most 128 units: a demonstration in seconds
  --only A,B        runs these comparisons: activations-sgd, activations-adam, batches, batches-scaled,
                    batches-adam, widths, dropout          (all)
  --seeds N         runs of each network                   (5)
  --epochs N        epochs of every network                (10; 30 for dropout)
  --images N        number of the 70,000 images to use     (all)
  --widest N        leaves out networks with more units    (1024)
  --jobs N          runs in parallel, on one thread each   (PLYWOOD_NUM_THREADS, else all cores)
  --save FILE       writes all runs to this file, as JSON
  --load FILE       reads runs from such a file, and trains only those that it lacks
  --pictures FOLDER draws each comparison, and one network in detail, as SVG and PNG
  --json            prints the results as one line of JSON at the end
  --help            shows this help

Data: the folder FASHION_MNIST_DIR if it is set, else the cache folder, else a download from the official host
(or FASHION_MNIST_URL). If no host can be reached, the program prints a warning and uses synthetic images.";

impl Options {
    /// Parses the program's arguments. Exits if they are invalid.
    pub fn from_args() -> Self {
        match Self::parse(std::env::args().skip(1)) {
            Ok(Some(options)) => options,
            Ok(None) => {
                println!("{HELP}");
                std::process::exit(0);
            }
            Err(message) => {
                eprintln!("{message}\n\n{HELP}");
                std::process::exit(2);
            }
        }
    }

    fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            only: Vec::new(),
            seeds: 5,
            jobs: plywood::threads(),
            epochs: None,
            images: None,
            widest: 1024,
            save: None,
            load: None,
            pictures: None,
            json: false,
        };
        let known: Vec<&str> = crate::comparisons::all().iter().map(|comparison| comparison.name).collect();
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--help" | "-h" => return Ok(None),
                "--json" => options.json = true,
                "--quick" => {
                    (options.seeds, options.epochs, options.images) = (2, Some(2), Some(3_000));
                    options.widest = 128;
                }
                "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
                "--seeds" => options.seeds = number(&name, &value()?)?,
                "--epochs" => options.epochs = Some(number(&name, &value()?)?),
                "--images" => options.images = Some(number(&name, &value()?)?),
                "--widest" => options.widest = number(&name, &value()?)?,
                "--jobs" => options.jobs = number(&name, &value()?)?,
                "--pictures" => options.pictures = Some(PathBuf::from(value()?)),
                "--save" => options.save = Some(PathBuf::from(value()?)),
                "--load" => options.load = Some(PathBuf::from(value()?)),
                _ => return Err(format!("there is no option {name:?}")),
            }
        }
        match options.only.iter().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(format!("--only must name some of {}, got {name:?}", known.join(", "))),
            None => Ok(Some(options)),
        }
    }
}

/// Parses a whole number of at least 1.
fn number<T: std::str::FromStr + Default + PartialEq>(name: &str, value: &str) -> Result<T, String> {
    let parsed = value.parse().ok().filter(|number| *number != T::default());
    parsed.ok_or_else(|| format!("{name} must be a whole number above 0, got {value:?}"))
}
