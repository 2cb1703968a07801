//! [`Models`]: the models by name, and how they are loaded again.

use crate::fault::{Fault, shortened};
use crate::loaded::{Loaded, Reader};
use crate::stats::Stats;
use plywood::predictor::Predictor;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The most bytes of a model's file.
const MOST: u64 = 1 << 33;

/// A name, and the model that answers for it.
pub(crate) struct Slot {
    pub name: String,
    /// Where it comes from; `None` for a predictor that was given in memory.
    path: Option<PathBuf>,
    reader: Option<Reader>,
    /// `None` before it is loaded, and after it was unloaded.
    loaded: RwLock<Option<Arc<Loaded>>>,
    /// Why the last loading failed, or why there is no model.
    fault: RwLock<String>,
    /// Whether it was unloaded on purpose.
    unloaded: AtomicBool,
    /// Held while the file is read, so that two requests do not read it at once.
    loading: Mutex<()>,
    pub stats: Arc<Stats>,
}

impl Slot {
    pub fn of_file(name: String, path: PathBuf, reader: Option<Reader>) -> Self {
        Self::new(name, Some(path), reader, None)
    }

    pub fn of_predictor(name: String, predictor: Predictor) -> plywood::Result<Self> {
        Ok(Self::new(name, None, None, Some(Arc::new(Loaded::of(predictor)?))))
    }

    fn new(name: String, path: Option<PathBuf>, reader: Option<Reader>, loaded: Option<Arc<Loaded>>) -> Self {
        let (loaded, fault) = (RwLock::new(loaded), RwLock::new(String::new()));
        let (unloaded, loading) = (AtomicBool::new(false), Mutex::new(()));
        Self { name, path, reader, loaded, fault, unloaded, loading, stats: Arc::default() }
    }

    /// The model, if it is loaded.
    pub fn get(&self) -> Option<Arc<Loaded>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the last loading failed; empty if it did not.
    pub fn fault(&self) -> String {
        self.fault.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file of the start again. If that fails, what is loaded goes on serving.
    pub fn load(&self) -> Result<(), Fault> {
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.path else { return Ok(()) };
        let read = || {
            let failed = |error| {
                plywood::Error::io("read", path, error).help("Look at the path, and at who may read it.")
            };
            // Looked at before it is opened, because opening a named pipe waits until somebody writes to it.
            if !std::fs::metadata(path).map_err(failed)?.is_file() {
                let what = path.display().to_string();
                return Err(
                    plywood::Error::format(what, "be a file", "something else").help("Name a model's file.")
                );
            }
            let file = File::open(path).map_err(failed)?;
            Loaded::read(file.take(MOST), self.reader.as_ref())
        };
        match read() {
            Ok(loaded) => {
                let (model, version, time) = (&*self.name, &*loaded.version, loaded.time);
                tracing::info!(model, version, file = %path.display(), ?time, first = ?loaded.first, "a model is loaded");
                self.set(Some(Arc::new(loaded)), String::new());
                self.unloaded.store(false, Ordering::Relaxed);
                self.stats.loads.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                let kept = self.get().map(|loaded| loaded.version.clone());
                tracing::error!(model = self.name, %error, kept, "a model cannot be loaded");
                *self.fault.write().unwrap_or_else(PoisonError::into_inner) = error.to_string();
                self.stats.failed_loads.fetch_add(1, Ordering::Relaxed);
                let goes_on = if kept.is_some() { "; the one before goes on serving" } else { "" };
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
        self.unloaded.store(true, Ordering::Relaxed);
        self.set(None, "it was unloaded".to_owned());
        tracing::info!(model = self.name, "a model is unloaded");
        Ok(())
    }

    fn set(&self, loaded: Option<Arc<Loaded>>, fault: String) {
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        *self.fault.write().unwrap_or_else(PoisonError::into_inner) = fault;
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

    /// Whether all models are loaded that were not unloaded on purpose.
    pub fn are_ready(&self) -> bool {
        self.0.iter().all(|slot| slot.unloaded.load(Ordering::Relaxed) || slot.get().is_some())
    }
}
