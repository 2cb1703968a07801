//! What the study takes from the command line.

use std::path::PathBuf;

pub struct Options {
    /// The names of comparisons to make; empty for all.
    pub only: Vec<String>,
    pub seeds: u64,
    /// How many runs at a time.
    pub jobs: usize,
    /// In place of each network's own.
    pub epochs: Option<usize>,
    /// How many of the images.
    pub images: Option<usize>,
    /// The widest hidden layer of all comparisons.
    pub widest: usize,
    pub save: Option<PathBuf>,
    pub load: Option<PathBuf>,
    /// The folder for pictures.
    pub pictures: Option<PathBuf>,
    pub json: bool,
}

const HELP: &str = "\
The experiments of a first lecture on deep learning, on Fashion-MNIST, several times each: activations, sizes of
batches, dropout, width. Prints a table for each comparison, mean and standard deviation over the seeds.

usage: cargo run --example activation_study -- [OPTIONS]

  --quick           2 seeds, 2 epochs, 3,000 images, at most 128 units: to see it work, in seconds
  --only A,B        these comparisons: activations-sgd, activations-adam, batches, batches-scaled,
                    batches-adam, widths, dropout          (all)
  --seeds N         runs of each network                   (5)
  --epochs N        for every network                      (10; 30 for dropout)
  --images N        of the 70,000                          (all)
  --widest N        leaves networks with more units out    (1024)
  --jobs N          runs at a time, on one thread each     (PLYWOOD_NUM_THREADS, else all cores)
  --save FILE       writes every run, as JSON
  --load FILE       takes the runs from such a file, as far as it has them
  --pictures FOLDER draws each comparison, and one network closely, as SVG
  --json            ends with one line of figures
  --help            shows this

Data: the folder FASHION_MNIST_DIR if it is set, else the cache folder, else the official host
(or FASHION_MNIST_URL). Where no host answers, garments are drawn instead, and the program says so.";

impl Options {
    /// From the program's arguments; ends the program where they make no sense.
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
            let mut value =
                || args.next().ok_or_else(|| format!("expected a value after {name}, found nothing"));
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
                _ => return Err(format!("expected an option, found {name:?}")),
            }
        }
        match options.only.iter().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(format!("expected one of {} after --only, found {name:?}", known.join(", "))),
            None => Ok(Some(options)),
        }
    }
}

/// A whole number of at least 1.
fn number<T: std::str::FromStr + Default + PartialEq>(name: &str, value: &str) -> Result<T, String> {
    let parsed = value.parse().ok().filter(|number| *number != T::default());
    parsed.ok_or_else(|| format!("expected a whole number above 0 after {name}, found {value:?}"))
}
