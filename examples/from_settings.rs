//! A program configured by a settings file: model, loss, update rule, learning rate, metrics and callbacks are chosen
//! by name at run time.
//!
//! `cargo run --example from_settings` uses `examples/from_settings.json`, `-- --settings my.json` another file. An
//! unknown name or an invalid number is an error with its line and column, before training begins.

mod support {
    pub mod args;
}

use plywood::data::synthetic;
use plywood::losses::AsTarget;
use plywood::optim::{CosineDecay, Schedule, StepDecay, UpdateRule};
use plywood::prelude::*;
use plywood::train::CsvLog;
use serde::Deserialize;
use support::args::Args;

const HELP: &str = "\
Trains a model on synthetic images of clothing, configured by a settings file.

    --settings FILE  the settings, as JSON (examples/from_settings.json)
    --epochs N       number of epochs, in place of the file's
    --json           prints the result as one line of JSON";

/// The settings file. Optional settings have a default, and an unknown name is an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    seed: u64,
    samples: usize,
    layers: Vec<LayerSetting>,
    loss: LossSetting,
    rule: RuleSetting,
    learning_rate: Option<RateSetting>,
    #[serde(default)]
    metrics: Vec<MetricSetting>,
    #[serde(default)]
    callbacks: Vec<CallbackSetting>,
    epochs: usize,
    batch_size: usize,
    validation_split: f64,
    clip_norm: Option<f64>,
}

/// `"relu"`, or `{"dense": {"units": 64}}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum LayerSetting {
    Flatten,
    Dense {
        units: usize,
        #[serde(default = "yes")]
        bias: bool,
    },
    BatchNorm,
    Relu,
    Gelu {
        #[serde(default)]
        tanh: bool,
    },
    Dropout {
        rate: f64,
    },
    Softmax,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum LossSetting {
    CrossEntropy {
        #[serde(default)]
        label_smoothing: f64,
        #[serde(default)]
        from_logits: bool,
    },
    Focal {
        gamma: f64,
    },
    SoftCrossEntropy {
        #[serde(default)]
        from_logits: bool,
    },
    MeanSquaredError,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum RuleSetting {
    Sgd {
        #[serde(default)]
        momentum: f64,
        #[serde(default)]
        nesterov: bool,
    },
    Adam {},
    #[serde(rename = "adamw")]
    AdamW {
        weight_decay: Option<f64>,
        #[serde(default)]
        amsgrad: bool,
    },
    Lion {},
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum RateSetting {
    Constant(f64),
    Cosine { start: f64, steps: u64 },
    Steps { start: f64, factor: f64, steps: u64 },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum MetricSetting {
    Accuracy,
    TopK { k: usize },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum CallbackSetting {
    EarlyStopping { patience: usize, monitor: Option<String> },
    CsvLog { path: String },
}

fn yes() -> bool {
    true
}

impl Settings {
    fn model(&self) -> Result<Sequential> {
        let start = Sequential::builder([28, 28]).seed(self.seed);
        let model = self.layers.iter().fold(start, |model, layer| match *layer {
            LayerSetting::Flatten => model.layer(Flatten),
            LayerSetting::Dense { units, bias } => model.layer(Dense::units(units).bias(bias)),
            LayerSetting::BatchNorm => model.layer(BatchNorm::new()),
            LayerSetting::Relu => model.layer(ReLU),
            LayerSetting::Gelu { tanh } => model.layer(GELU::default().tanh(tanh)),
            LayerSetting::Dropout { rate } => model.layer(Dropout::rate(rate)),
            LayerSetting::Softmax => model.layer(Softmax),
        });
        model.build()
    }

    fn rule(&self) -> Box<dyn UpdateRule> {
        match self.rule {
            RuleSetting::Sgd { momentum, nesterov } => {
                Box::new(SGD::default().momentum(momentum).nesterov(nesterov))
            }
            RuleSetting::Adam {} => Box::new(Adam::default()),
            RuleSetting::AdamW { weight_decay, amsgrad } => {
                let rule = AdamW::default().amsgrad(amsgrad);
                Box::new(match weight_decay {
                    Some(decay) => rule.weight_decay(decay),
                    None => rule,
                })
            }
            RuleSetting::Lion {} => Box::new(Lion::default()),
        }
    }

    fn learning_rate(&self) -> Option<Box<dyn Schedule>> {
        self.learning_rate.as_ref().map(|rate| -> Box<dyn Schedule> {
            match *rate {
                RateSetting::Constant(rate) => Box::new(rate),
                RateSetting::Cosine { start, steps } => Box::new(CosineDecay { start, steps }),
                RateSetting::Steps { start, factor, steps } => Box::new(StepDecay { start, factor, steps }),
            }
        })
    }

    /// Trains with the chosen loss. The loss determines the type of a batch's targets, so this choice is a `match`
    /// where the data are made; everything after it is the same.
    fn train(&self, model: &mut Sequential) -> Result<History> {
        let (garments, _) = synthetic::garments(self.samples, 10, self.seed)?;
        let rows = OneHot::new(&garments, 10)?;
        match self.loss {
            LossSetting::CrossEntropy { label_smoothing, from_logits } => {
                let loss = CrossEntropy::default().label_smoothing(label_smoothing).from_logits(from_logits);
                self.fit::<[usize], _>(model, Box::new(loss), &garments)
            }
            LossSetting::Focal { gamma } => {
                self.fit::<[usize], _>(model, Box::new(Focal::gamma(gamma)), &garments)
            }
            LossSetting::SoftCrossEntropy { from_logits } => {
                let loss = SoftCrossEntropy::default().from_logits(from_logits);
                self.fit::<Tensor, _>(model, Box::new(loss), &rows)
            }
            LossSetting::MeanSquaredError => self.fit::<Tensor, _>(model, Box::new(MeanSquaredError), &rows),
        }
    }

    fn fit<T: ?Sized + 'static, D: Dataset>(
        &self,
        model: &mut Sequential,
        loss: Box<dyn Loss<Target = T>>,
        data: &D,
    ) -> Result<History>
    where
        D::Target: AsTarget<T>,
        Accuracy: Metric<T>,
        TopK: Metric<T>,
    {
        let mut trainer = Trainer::new(loss, self.rule())
            .epochs(self.epochs)
            .batch_size(self.batch_size)
            .validation_split(self.validation_split)
            .seed(self.seed);
        if let Some(rate) = self.learning_rate() {
            trainer = trainer.learning_rate(rate);
        }
        if let Some(norm) = self.clip_norm {
            trainer = trainer.clip_norm(norm);
        }
        for metric in &self.metrics {
            trainer = match *metric {
                MetricSetting::Accuracy => trainer.metric(Accuracy::default()),
                MetricSetting::TopK { k } => trainer.metric(TopK::k(k)),
            };
        }
        for callback in &self.callbacks {
            let callback: Box<dyn Callback> = match callback {
                CallbackSetting::EarlyStopping { patience, monitor } => {
                    let stopping = EarlyStopping::patience(*patience);
                    Box::new(stopping.monitor(monitor.as_deref().unwrap_or("val_loss")))
                }
                CallbackSetting::CsvLog { path } => Box::new(CsvLog::new(path)),
            };
            trainer = trainer.callback(callback);
        }
        trainer.fit(model, data)
    }
}

fn read(path: Option<&str>) -> Result<Settings> {
    let text = match path {
        None => include_str!("from_settings.json").to_owned(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Error::io("read", path, error).help("Give a JSON file that exists."))?,
    };
    let place = path.unwrap_or("examples/from_settings.json");
    serde_json::from_str(&text).map_err(|error| {
        Error::custom(format!("the settings {place}: {error}"))
            .help("Correct the file there; a choice that has options has them in braces: {\"adam\": {}}.")
    })
}

fn main() -> Result<()> {
    let mut args = Args::new(HELP);
    let (path, json) = (args.text("--settings"), args.flag("--json"));
    let mut settings = read(path.as_deref())?;
    settings.epochs = args.number("--epochs", settings.epochs);
    args.finish();
    let mut model = settings.model()?;
    let history = settings.train(&mut model)?;
    let (_, test) = synthetic::garments(10, 1000, settings.seed)?;
    let accuracy = evaluate::classification_report(&model, &test)?.accuracy;
    if json {
        println!("{{\"epochs\":{},\"accuracy\":{accuracy}}}", history.epochs.len());
    } else {
        println!("{model}\n{history}\ntest accuracy on synthetic images, NOT Fashion-MNIST: {accuracy:.3}");
    }
    Ok(())
}
