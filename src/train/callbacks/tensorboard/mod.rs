//! [`TensorBoard`]: event files of training for TensorBoard.

mod event;
mod record;

use super::line_logs::columns;
use super::{Callback, Context};
use crate::disk::make_folder;
use crate::error::{Error, Result};
use crate::kernels::{Scalar, platform};
use crate::nn::Model;
use crate::optim::merge_rows;
use crate::param::Gradient;
use crate::state::{Kind, State};
use crate::tensor::slice;
use event::{Message, restart, version};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Writes event files for [TensorBoard](https://www.tensorflow.org/tensorboard): scalars after each epoch, and
/// optionally histograms and images.
///
/// ```
/// use plywood::ndarray::Array2;
/// use plywood::prelude::*;
/// use plywood::train::TensorBoard;
///
/// let runs = std::env::temp_dir().join("plywood-doc-runs");
/// let board = TensorBoard::new(runs.join("first")).histograms(1);
/// let data = ArrayDataset::new(Array2::<f32>::ones((8, 2)), Array2::<f32>::ones((8, 1)))?;
/// let mut model = Sequential::builder([2]).layer(Dense::units(1)).build()?;
/// let trainer = Trainer::new(MeanSquaredError, SGD::default()).epochs(2).callback(board.clone());
/// trainer.progress(Progress::Silent).fit(&mut model, &data)?;
/// board.scalar("test/loss", 2, 0.5)?; // numbers of one's own, into the same file
/// # std::fs::remove_dir_all(&runs).unwrap();
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// ```sh
/// tensorboard --logdir runs
/// ```
///
/// | tag | value at each epoch's number |
/// |---|---|
/// | `loss`, `val_loss`, `accuracy`, … | the epoch's values by name |
/// | `learning_rate`, `seconds` | of the epoch |
/// | `weights/1.weight` | a histogram of each parameter and buffer, with [`histograms`](Self::histograms) |
/// | `gradients/1.weight` | a histogram of each gradient in the first batch of such an epoch, before any clipping |
/// | `filters` | the first layer's weights as images, with `filters` |
///
/// The trainer takes a clone, and the original writes to the same file. Scalars are `f32` in this format;
/// [`CsvLog`](crate::train::CsvLog) keeps all bits of an `f64`. Numbers that are not finite are left out of histograms.
///
/// # The files
///
/// The folder is created if it is missing. Each `TensorBoard` creates one new file in it, at its first use, and changes
/// no other. Use a separate folder for each run, because TensorBoard shows all files of a folder as one run. An epoch
/// is written to the operating system as a whole at its end, so it is not lost if the program is killed.
///
/// A run that is [resumed](crate::train::Trainer::resume) marks in its own file the epoch at which it continues.
/// TensorBoard ignores what earlier files of the folder contain for this epoch and later ones, so it shows each epoch
/// once. Numbers of your own are ignored too if their step is as high.
#[derive(Clone, Debug)]
pub struct TensorBoard {
    histograms: u64,
    #[cfg(feature = "plots")]
    filters: u64,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    file: Option<(PathBuf, File)>,
    /// True while `fit` is running.
    fitting: bool,
    /// The current epoch, if known; counted from 1.
    epoch: u64,
    /// True if the next gradients are those of an epoch's first batch.
    first: bool,
    gradients: Message,
}

impl TensorBoard {
    /// Writes event files to this folder, such as `runs/adam`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let (folder, gradients) = (folder.into(), Message::default());
        let inner = Inner { folder, file: None, fitting: false, epoch: 1, first: true, gradients };
        Self {
            histograms: 0,
            #[cfg(feature = "plots")]
            filters: 0,
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Writes histograms of weights and gradients every `every` epochs, beginning with the first. 0, the default, means
    /// never.
    ///
    /// They cost a pass over all parameters, and the gradients of one batch are computed in full. The result is
    /// bit-for-bit the same.
    #[must_use]
    pub fn histograms(mut self, every: u64) -> Self {
        self.histograms = every;
        self
    }

    /// Writes the first layer's weights as images, like `plot::filters`, every `every` epochs. 0, the default, means
    /// never.
    ///
    /// If the weights of the model cannot be drawn, training ends with an error after the first epoch.
    #[cfg(feature = "plots")]
    #[must_use]
    pub fn filters(mut self, every: u64) -> Self {
        self.filters = every;
        self
    }

    /// Writes a number: `board.scalar("test/accuracy", 10, 0.88)`.
    ///
    /// # Errors
    /// If the folder or the file cannot be written.
    pub fn scalar(&self, tag: &str, step: u64, value: f64) -> Result<()> {
        let mut summary = Message::default();
        summary.scalar(tag, value);
        self.lock().write(&summary, step)
    }

    /// Writes an image, such as a plot of `plot::confusion_matrix`.
    ///
    /// # Errors
    /// If the folder or the file cannot be written.
    #[cfg(feature = "plots")]
    pub fn figure(&self, tag: &str, step: u64, figure: &crate::plot::Figure) -> Result<()> {
        let mut summary = Message::default();
        picture(&mut summary, tag, figure)?;
        self.lock().write(&summary, step)
    }

    /// After a panic in another thread the file contains only complete records, so more can be appended.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds an image with one pixel for each of the figure's, because TensorBoard shows many images at once.
#[cfg(feature = "plots")]
fn picture(summary: &mut Message, tag: &str, figure: &crate::plot::Figure) -> Result<()> {
    summary.image(tag, (figure.width() as u64, figure.height() as u64), &figure.to_png_scaled(1.0)?);
    Ok(())
}

/// Returns whether something that happens every `every` epochs, beginning with the first, is due; never if `every` is
/// 0.
fn is_due(epoch: u64, every: u64) -> bool {
    every > 0 && epoch.saturating_sub(1).is_multiple_of(every)
}

/// Converts to one type, so that the code that follows is compiled once, with optimization.
fn wide<F: Scalar>(values: &[F]) -> Vec<f64> {
    values.iter().map(|value| value.as_f64()).collect()
}

impl<F: Scalar> Callback<F> for TensorBoard {
    fn on_train_begin(&mut self, _: &mut Context<'_, F>) -> Result<()> {
        let mut inner = self.lock();
        (inner.first, inner.gradients, inner.fitting) = (true, Message::default(), true);
        inner.open()
    }

    fn on_gradients(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let mut inner = self.lock();
        if !std::mem::take(&mut inner.first) || !is_due(inner.epoch, self.histograms) {
            return Ok(());
        }
        context.model_mut().each_param_mut(&mut |name, param| {
            let values = match param.both() {
                Some((_, Gradient::Dense(gradient))) => wide(slice(gradient)),
                Some((value, Gradient::Rows { ids, values })) => {
                    // Two entries with the same id are one row; rows without an entry are 0 and are left out.
                    merge_rows(ids, values, value.shape()[1..].iter().product());
                    wide(values)
                }
                None => return,
            };
            inner.gradients.histogram(&format!("gradients/{name}"), &values);
        });
        Ok(())
    }

    fn on_epoch_end(&mut self, context: &mut Context<'_, F>) -> Result<()> {
        let (model, Some(epoch)) = (context.model(), context.ended()) else { return Ok(()) };
        let mut inner = self.lock();
        let mut summary = std::mem::take(&mut inner.gradients);
        columns(epoch).for_each(|(name, value)| summary.scalar(name, value));
        if is_due(epoch.number, self.histograms) {
            model.each_param(&mut |name, param| {
                summary.histogram(&format!("weights/{name}"), &wide(param.as_slice()));
            });
        }
        #[cfg(feature = "plots")]
        if is_due(epoch.number, self.filters) {
            let figure = crate::plot::filters(model).map_err(|error| error.at("tensorboard"))?;
            picture(&mut summary, "filters", &figure)?;
        }
        (inner.epoch, inner.first) = (epoch.number + 1, true);
        inner.write(&summary, epoch.number)
    }

    fn on_train_end(&mut self, _: &mut Context<'_, F>) -> Result<()> {
        self.lock().fitting = false;
        Ok(())
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::builtin("tensorboard"))
    }

    /// The state of the current epoch: the gradients of its first batch are written at its end.
    fn state(&self) -> Option<State<F>> {
        let inner = self.lock();
        let state = State::new().integer("epoch", inner.epoch).flag("first", inner.first);
        Some(state.bytes("gradients", inner.gradients.as_bytes()))
    }

    fn load_state(&mut self, state: &mut State<F>, _: &dyn Model<F>) -> Result<()> {
        let (epoch, first) = (state.take_integer("epoch")?, state.take_flag("first")?);
        let gradients = state.take_bytes("gradients")?;
        let mut inner = self.lock();
        (inner.epoch, inner.first, inner.gradients) = (epoch, first, Message::from_bytes(gradients));
        // `resume` loads the state only as a check, so nothing is written.
        if inner.fitting { inner.put(&restart(now(), epoch)) } else { Ok(()) }
    }
}

impl Inner {
    /// Creates the file, unless it exists.
    ///
    /// Its name contains the time in seconds, so that TensorBoard reads the files of a folder in order, and then the
    /// process id and a free number.
    fn open(&mut self) -> Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        make_folder(&self.folder).map_err(|error| error.at("tensorboard"))?;
        let (now, process) = (now(), platform::process_id());
        for number in 0.. {
            let name = format!("events.out.tfevents.{:010}.plywood.{process}.{number:04}", now as u64);
            let path = self.folder.join(name);
            let made = OpenOptions::new().append(true).create_new(true).open(&path);
            if made.as_ref().is_err_and(|error| error.kind() == ErrorKind::AlreadyExists) {
                continue;
            }
            let mut head = Vec::new();
            record::frame(&mut head, &version(now));
            let made = made.and_then(|mut file| file.write_all(&head).map(|()| file));
            let file = made.map_err(|source| refused(&path, source))?;
            self.file = Some((path, file));
            break;
        }
        Ok(())
    }

    /// Writes a summary at a step.
    fn write(&mut self, summary: &Message, step: u64) -> Result<()> {
        self.put(&summary.event(now(), step))
    }

    /// Writes an event; the file is created first if necessary.
    fn put(&mut self, event: &[u8]) -> Result<()> {
        self.open()?;
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let mut bytes = Vec::new();
        record::frame(&mut bytes, event);
        let written = file.write_all(&bytes).map_err(|source| refused(path, source));
        if written.is_err() {
            self.file = None; // events after an incomplete record would not be read
        }
        written
    }
}

fn refused(path: &std::path::Path, source: std::io::Error) -> Error {
    Error::io("write", path, source)
        .help("The folder must be writable, with space on the disk.")
        .at("tensorboard")
}

/// Seconds since 1970; 0 if the clock is set to an earlier time.
fn now() -> f64 {
    platform::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
