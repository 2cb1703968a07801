//! Command-line options of the examples on Fashion-MNIST, and their results as a line of JSON.

use std::path::PathBuf;

/// The options of a run.
pub struct Options {
    pub epochs: usize,
    pub batch: usize,
    pub hidden: usize,
    pub seed: u64,
    pub threads: usize,
    pub optimizer: String,
    pub save: Option<PathBuf>,
    pub json: bool,
}

const HELP: &str = "\
Trains a network on Fashion-MNIST and reports its accuracy.

usage: cargo run --example {example} -- [OPTIONS]

  --epochs N        passes over the data                       (10)
  --batch N         batch size                                 ({batch})
  --hidden N        units of the hidden dense layer            (128)
  --seed N          seed of weights and shuffling              (0)
  --threads N       number of threads                          (PLYWOOD_NUM_THREADS, else all cores)
  --optimizer NAME  adam, adamw or sgd                         (adam)
  --save FILE       where the predictor is written             ({save})
  --json            prints the results as one line of JSON at the end
  --help            shows this help

Data: the folder FASHION_MNIST_DIR if it is set, else the cache folder, else a download from the official host
(or FASHION_MNIST_URL). If no host can be reached, the program prints a warning and uses synthetic images.";

impl Options {
    /// Parses the program's arguments for the example of this name, with its default batch size, and the default file of
    /// its predictor if it has one. Exits if they are invalid.
    pub fn from_args(example: &str, batch: usize, save: Option<&str>) -> Self {
        let help = HELP.replace("{example}", example).replace("{batch}", &batch.to_string());
        let help = help.replace("{save}", save.unwrap_or("it is not"));
        match Self::parse(std::env::args().skip(1), batch, save.map(PathBuf::from)) {
            Ok(Some(options)) => options,
            Ok(None) => {
                println!("{help}");
                std::process::exit(0);
            }
            Err(message) => {
                eprintln!("{message}\n\n{help}");
                std::process::exit(2);
            }
        }
    }

    fn parse(
        mut args: impl Iterator<Item = String>,
        batch: usize,
        save: Option<PathBuf>,
    ) -> Result<Option<Self>, String> {
        let (threads, optimizer) = (plywood::threads(), "adam".into());
        let mut options =
            Self { epochs: 10, batch, hidden: 128, seed: 0, threads, optimizer, save, json: false };
        while let Some(name) = args.next() {
            match name.as_str() {
                "--help" | "-h" => return Ok(None),
                "--json" => options.json = true,
                "--epochs" => options.epochs = number(&name, args.next())?,
                "--batch" => options.batch = number(&name, args.next())?,
                "--hidden" => options.hidden = number(&name, args.next())?,
                "--seed" => options.seed = number(&name, args.next())?,
                "--threads" => options.threads = number(&name, args.next())?,
                "--save" => {
                    options.save = Some(args.next().ok_or_else(|| format!("{name} needs a file"))?.into());
                }
                "--optimizer" => match args.next().as_deref() {
                    Some(optimizer @ ("adam" | "adamw" | "sgd")) => options.optimizer = optimizer.into(),
                    other => {
                        return Err(format!(
                            "{name} must be adam, adamw or sgd, got {}",
                            other.unwrap_or("nothing")
                        ));
                    }
                },
                _ => return Err(format!("there is no option {name:?}")),
            }
        }
        Ok(Some(options))
    }
}

fn number<T: std::str::FromStr>(name: &str, value: Option<String>) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("{name} needs a number"))?;
    value.parse().map_err(|_| format!("{name} must be a whole number, got {value:?}"))
}

/// The results of a run.
#[derive(serde::Serialize)]
pub struct Report {
    pub data: &'static str,
    pub seed: u64,
    pub threads: usize,
    pub epochs: usize,
    pub train_seconds: f64,
    pub epoch_seconds: Vec<f64>,
    pub val_accuracy: f64,
    pub test_accuracy: f64,
    pub peak_rss_mb: Option<f64>,
}

impl Report {
    /// Returns the results as one line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
