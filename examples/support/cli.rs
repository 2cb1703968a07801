//! What the examples on Fashion-MNIST take from the command line, and the line of figures they end with.

/// The options of a run.
pub struct Options {
    pub epochs: usize,
    pub batch: usize,
    pub hidden: usize,
    pub seed: u64,
    pub threads: usize,
    pub optimizer: String,
    pub json: bool,
}

const HELP: &str = "\
Trains a network on Fashion-MNIST and shows how good it is.

usage: cargo run --example {example} -- [OPTIONS]

  --epochs N        how often to go through the data           (10)
  --batch N         samples in a step                          ({batch})
  --hidden N        units in the hidden dense layer            (128)
  --seed N          of initial weights and the samples' order  (0)
  --threads N       to work with                               (PLYWOOD_NUM_THREADS, else all cores)
  --optimizer NAME  adam, adamw or sgd                         (adam)
  --json            ends with one line of figures
  --help            shows this

Data: the folder FASHION_MNIST_DIR if it is set, else the cache folder, else the official host
(or FASHION_MNIST_URL). Where no host answers, garments are drawn instead, and the program says so.";

impl Options {
    /// From the program's arguments, for the example of this name and its usual batch; ends the program where they
    /// make no sense.
    pub fn from_args(example: &str, batch: usize) -> Self {
        let help = HELP.replace("{example}", example).replace("{batch}", &batch.to_string());
        match Self::parse(std::env::args().skip(1), batch) {
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

    fn parse(mut args: impl Iterator<Item = String>, batch: usize) -> Result<Option<Self>, String> {
        let threads = plywood::threads();
        let mut options =
            Self { epochs: 10, batch, hidden: 128, seed: 0, threads, optimizer: "adam".into(), json: false };
        while let Some(name) = args.next() {
            match name.as_str() {
                "--help" | "-h" => return Ok(None),
                "--json" => options.json = true,
                "--epochs" => options.epochs = number(&name, args.next())?,
                "--batch" => options.batch = number(&name, args.next())?,
                "--hidden" => options.hidden = number(&name, args.next())?,
                "--seed" => options.seed = number(&name, args.next())?,
                "--threads" => options.threads = number(&name, args.next())?,
                "--optimizer" => match args.next().as_deref() {
                    Some(optimizer @ ("adam" | "adamw" | "sgd")) => options.optimizer = optimizer.into(),
                    other => {
                        return Err(format!("expected adam, adamw or sgd after {name}, found {other:?}"));
                    }
                },
                _ => return Err(format!("expected an option, found {name:?}")),
            }
        }
        Ok(Some(options))
    }
}

fn number<T: std::str::FromStr>(name: &str, value: Option<String>) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("expected a number after {name}, found nothing"))?;
    value.parse().map_err(|_| format!("expected a whole number after {name}, found {value:?}"))
}

/// The figures of a run.
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
    /// One line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
