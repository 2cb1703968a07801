//! [`Models`]: the models by name, and how they are loaded again.

use crate::fault::{Fault, shortened};
use crate::loaded::{Loaded, Reader};
use crate::stats::Stats;
use plywood::predictor::Predictor;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

/// The most bytes of a model's file.
const MOST: u64 = 1 << 33;

/// A name, and the model that answers for it.
pub(crate) struct Slot {
    pub name: String,
    /// Where it comes from; `None` for a predictor that was given in memory.
    path: Option<PathBuf>,
    reader: Option<Reader>,
    state: RwLock<State>,
    /// Held while the file is read, so that one after the other is loaded or unloaded.
    loading: Mutex<()>,
    pub stats: Arc<Stats>,
}

/// What is loaded, and why not more.
#[derive(Default)]
struct State {
    /// `None` before it is loaded, and after it was unloaded.
    loaded: Option<Arc<Loaded>>,
    /// Why the last loading failed, or why there is no model.
    fault: String,
    /// Whether it was unloaded on purpose.
    unloaded: bool,
}

impl Slot {
    pub fn of_file(name: String, path: PathBuf, reader: Option<Reader>) -> Self {
        Self::new(name, Some(path), reader, None)
    }

    pub fn of_predictor(name: String, predictor: Predictor) -> plywood::Result<Self> {
        Ok(Self::new(name, None, None, Some(Arc::new(Loaded::of(predictor)?))))
    }

    fn new(name: String, path: Option<PathBuf>, reader: Option<Reader>, loaded: Option<Arc<Loaded>>) -> Self {
        let state = RwLock::new(State { loaded, ..State::default() });
        Self { name, path, reader, state, loading: Mutex::new(()), stats: Arc::default() }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The model, if it is loaded.
    pub fn get(&self) -> Option<Arc<Loaded>> {
        self.state().loaded.clone()
    }

    /// Why the last loading failed; empty if it did not.
    pub fn fault(&self) -> String {
        self.state().fault.clone()
    }

    /// Whether it can answer, or was unloaded on purpose.
    fn is_ready(&self) -> bool {
        let state = self.state();
        state.unloaded || state.loaded.is_some()
    }

    /// Reads the file of the start again. If that fails, what is loaded goes on serving.
    pub fn load(&self) -> Result<(), Fault> {
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        self.load_alone()
    }

    /// Reads the file again, unless the model was unloaded on purpose.
    pub fn reload(&self) -> Result<(), Fault> {
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unloaded = self.state().unloaded;
        if is_unloaded { Ok(()) } else { self.load_alone() }
    }

    /// Reads the file, while nobody else does.
    fn load_alone(&self) -> Result<(), Fault> {
        let Some(path) = &self.path else { return Ok(()) };
        let read = open(path).and_then(|file| Loaded::read(file.take(MOST), self.reader.as_ref()));
        let before = self.get();
        match read {
            Ok(loaded) => {
                let (model, version, time) = (&*self.name, &*loaded.version, loaded.time);
                tracing::info!(model, version, file = %path.display(), prediction = ?time, first = ?loaded.first, "a model is loaded");
                if before.is_some_and(|before| !before.takes_and_gives_as(&loaded)) {
                    tracing::warn!(model, "the model takes or gives other values than the one before");
                }
                let loaded = Some(Arc::new(loaded));
                self.set(|state| *state = State { loaded, ..State::default() });
                self.stats.loads.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                let kept = before.map(|loaded| loaded.version.clone());
                tracing::error!(model = self.name, %error, kept, "a model cannot be loaded");
                self.set(|state| state.fault = error.to_string());
                self.stats.failed_loads.fetch_add(1, Ordering::Relaxed);
                let goes_on = if kept.is_some() { " The one before goes on serving." } else { "" };
                Err(Fault::inside(format!(
                    "the model {:?} cannot be loaded: {error}{goes_on}",
                    shortened(&self.name, 100)
                )))
            }
        }
    }

    /// Gives the model's memory back, once the requests in progress are answered.
    pub fn unload(&self) -> Result<(), Fault> {
        if self.path.is_none() {
            return Err(Fault::bad(format!(
                "the model {:?} stays loaded: it was not read from a file, so it could not be loaded again",
                shortened(&self.name, 100)
            )));
        }
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        self.set(|state| {
            *state = State { loaded: None, fault: "it was unloaded".to_owned(), unloaded: true }
        });
        tracing::info!(model = self.name, "a model is unloaded");
        Ok(())
    }
}

/// Opens a model's file.
fn open(path: &Path) -> plywood::Result<File> {
    let failed =
        |error| plywood::Error::io("read", path, error).help("Look at the path, and at who may read it.");
    let mut options = OpenOptions::new();
    options.read(true);
    // Else opening a named pipe waits until somebody writes to it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path).map_err(failed)?;
    match file.metadata().map_err(failed)?.is_file() {
        true => Ok(file),
        false => {
            let what = path.display().to_string();
            Err(plywood::Error::format(what, "be a file", "something else").help("Name a model's file."))
        }
    }
}

/// The models of a server, in the order in which they were given.
pub(crate) struct Models(pub Vec<Slot>);

impl Models {
    /// The slot of this name.
    pub fn slot(&self, name: &str) -> Result<&Slot, Fault> {
        self.0.iter().find(|slot| slot.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|slot| &*slot.name).take(20).collect();
            let text = format!("there is no model {:?}; there is {}", shortened(name, 100), names.join(", "));
            Fault::missing(text)
        })
    }

    /// The model of this name, in this version if one is named.
    pub fn get(&self, name: &str, version: Option<&str>) -> Result<(&Slot, Arc<Loaded>), Fault> {
        let slot = self.slot(name)?;
        let loaded = slot.get().ok_or_else(|| {
            Fault::busy(format!("the model {:?} is not loaded: {}", shortened(name, 100), slot.fault()))
        })?;
        match version.filter(|version| *version != loaded.version) {
            None => Ok((slot, loaded)),
            Some(version) => Err(Fault::missing(format!(
                "the model {:?} has no version {:?}; it has {:?}",
                shortened(name, 100),
                shortened(version, 100),
                loaded.version
            ))),
        }
    }

    /// Loads all files, and returns the first error.
    pub fn load(&self) -> Result<(), Fault> {
        self.0.iter().map(Slot::load).fold(Ok(()), Result::and)
    }

    /// Loads all files again, but those of models that were unloaded on purpose.
    pub fn reload(&self) {
        for slot in &self.0 {
            // The log has what went wrong.
            let _ = slot.reload();
        }
    }

    /// Whether all models are loaded that were not unloaded on purpose.
    pub fn are_ready(&self) -> bool {
        self.0.iter().all(Slot::is_ready)
    }
}
