//! Reads a published data set of four IDX files: finds the folder, checks the files, downloads what is missing.
//!
//! The sources are, in this order: a folder that the user names, the cache, a download into the cache. A folder that
//! the user names is never skipped: a fault in it is an error, and no reason to look elsewhere.
//!
//! | where the files are | name | must be the published file |
//! |---|---|---|
//! | a folder that the user names | with or without `.gz` | only a `.gz` file of the published size |
//! | the cache | with `.gz` | always |
//! | a download into the cache | with `.gz` | always, before it is renamed to its final name |
//!
//! A user's folder may hold another set of the same form (a part, a variation). So a file of the published size with
//! other contents counts as damaged, and a file of another size as the user's own. The check reads each file whole;
//! for Fashion-MNIST's 31 MB this takes a fraction of a second.

use super::checksum::{Checksum, mismatch};
use crate::data::idx::IdxArray;
use crate::data::{ArrayDataset, Images, idx};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A published file.
pub(super) struct Official<'a> {
    /// Its name, with `.gz` at the end.
    pub(super) name: &'a str,
    /// Its size.
    pub(super) bytes: u64,
    /// Its SHA-256, in lower-case hexadecimal digits.
    pub(super) sha256: &'a str,
}

/// A published data set: four files, in the layout of MNIST.
pub(super) struct Collection<'a> {
    /// The data set's name in messages.
    pub(super) title: &'a str,
    /// The name of its folder in the cache.
    pub(super) folder: &'a str,
    /// The environment variable that names a folder to use instead of everything else.
    pub(super) dir_variable: &'a str,
    /// The environment variable that names another host.
    pub(super) url_variable: &'a str,
    /// The official host.
    pub(super) host: &'a str,
    /// Images and labels of the training set, images and labels of the test set.
    pub(super) files: [Official<'a>; 4],
    /// The names of the classes, in the order of their labels.
    pub(super) classes: [&'a str; 10],
}

/// Settings from the environment.
///
/// They are read once, at the call, and passed on. So tests can make their own settings without touching the
/// environment, which all threads share.
pub(super) struct Environment {
    /// The folder to use instead of everything else.
    dir: Option<PathBuf>,
    /// The root of the cache; `None` without a home folder.
    cache: Option<PathBuf>,
    /// The host to use instead of the official one.
    host: Option<String>,
}

impl Environment {
    /// Reads the current environment; variables that are empty count as not set.
    pub(super) fn of(collection: &Collection) -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            dir: variable(collection.dir_variable).map(PathBuf::from),
            cache: variable("PLYWOOD_CACHE_DIR").map(PathBuf::from).or_else(users_cache),
            host: variable(collection.url_variable).map(|host| host.to_string_lossy().into_owned()),
        }
    }
}

/// Returns this crate's folder in the user's cache folder; `None` without a home folder.
#[cfg(feature = "download")]
fn users_cache() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("plywood"))
}

/// Without the feature, the location of the user's cache folder is not known.
#[cfg(not(feature = "download"))]
fn users_cache() -> Option<PathBuf> {
    None
}

impl Collection<'_> {
    /// Returns the training set and the test set: from the folder that the settings name and nowhere else, or from
    /// the cache, into which missing files are downloaded.
    ///
    /// # Errors
    /// When a file is missing and cannot be downloaded, is not the published one, or has other contents than it
    /// should.
    pub(super) fn load(&self, settings: &Environment) -> Result<(Images, Images)> {
        if let Some(dir) = &settings.dir {
            return self.load_from(dir).map_err(|e| e.at(self.dir_variable));
        }
        let Some(cache) = &settings.cache else {
            return Err(Error::data("the cache folder", "be a folder of this user", "none")
                .help(format!("Set PLYWOOD_CACHE_DIR to a folder for the files. {}", self.remedy()))
                .at(self.title));
        };
        let folder = cache.join(self.folder);
        let host = settings.host.as_deref().unwrap_or(self.host);
        self.assemble(|file| self.cached(file, &folder, host)).map_err(|e| e.at(self.title))
    }

    /// Returns the training set and the test set from a folder of the user's.
    ///
    /// # Errors
    /// When a file is missing, cannot be read, was altered, or has other contents than it should.
    pub(super) fn load_from(&self, dir: &Path) -> Result<(Images, Images)> {
        if let Err(e) = std::fs::read_dir(dir) {
            let help =
                format!("Name the folder that holds the four files; they can be had from {}.", self.host);
            return Err(Error::io("open the folder", dir, e).help(help).at(self.title));
        }
        self.assemble(|file| self.own(file, dir)).map_err(|e| e.at(self.title))
    }

    /// Advice for users whose download failed, in full sentences.
    ///
    /// It ends the text of every error of a download, because the usual cause is a machine without a network.
    fn remedy(&self) -> String {
        format!(
            "Get the four files of {} from {} or a copy of it, and set {} to the folder that holds them; or set {} to \
             a host that has them.",
            self.title, self.host, self.dir_variable, self.url_variable
        )
    }

    /// Assembles both sets; `read` returns a file's array and path.
    ///
    /// It stops at the first file that fails, so nothing is downloaded in vain after an error.
    fn assemble(&self, read: impl Fn(&Official) -> Result<(IdxArray, PathBuf)>) -> Result<(Images, Images)> {
        let [train_images, train_labels, test_images, test_labels] = &self.files;
        let set = |images, labels| self.set(read(images)?, read(labels)?);
        Ok((set(train_images, train_labels)?, set(test_images, test_labels)?))
    }

    /// Reads a file of the cache, which must be the published one; it is downloaded if it does not exist.
    ///
    /// Failures to open the file other than "not found" are reported by the read that follows.
    fn cached(&self, file: &Official, folder: &Path, host: &str) -> Result<(IdxArray, PathBuf)> {
        let path = folder.join(file.name);
        match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let url = format!("{}/{}", host.trim_end_matches('/'), file.name);
                fetch(&url, folder, file, &self.remedy())?;
            }
            _ => {}
        }
        Ok((file.read_published(&path)?, path))
    }

    /// Reads a file from the user's folder, compressed or not.
    ///
    /// If both exist, the compressed file is used.
    fn own(&self, file: &Official, folder: &Path) -> Result<(IdxArray, PathBuf)> {
        let plain = file.name.trim_end_matches(".gz");
        for name in [file.name, plain] {
            let path = folder.join(name);
            match std::fs::metadata(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Ok(found) if name == file.name && found.len() == file.bytes => {
                    return Ok((file.read_published(&path)?, path));
                }
                _ => return Ok((idx::read(&path)?, path)),
            }
        }
        let missing = io::Error::from(io::ErrorKind::NotFound);
        Err(Error::io(format!("find {} (or {plain}) in the folder", file.name), folder, missing).help(
            format!("Get it from {} or a copy of it, and put it there; or name another folder.", self.host),
        ))
    }

    /// Makes a data set of these images and labels, if they have the right form.
    ///
    /// Everything that a model and a loss rely on later is checked here, where the file's name is known: 28 x 28
    /// pixels, as many labels as images, each label a class.
    fn set(&self, images: (IdxArray, PathBuf), labels: (IdxArray, PathBuf)) -> Result<Images> {
        let ((images, images_path), (labels, labels_path)) = (images, labels);
        let help = format!("The file does not hold what {} has; get it again.", self.title);
        let images = images.into_u8().map_err(|e| e.help(&help).at(images_path.display()))?;
        let fits = matches!(*images.shape(), [count, 28, 28] if count > 0);
        if !fits {
            let expected = "[samples, 28, 28] with at least one sample";
            return Err(Error::shape("the images", expected, images.shape())
                .help(help)
                .at(images_path.display()));
        }
        let labels = labels.into_labels().map_err(|e| e.at(labels_path.display()))?;
        let count = images.shape()[0];
        if labels.len() != count {
            let found = labels.len();
            return Err(Error::data(
                "the number of labels",
                format!("be {count}, one for each image of {}", images_path.display()),
                found,
            )
            .help("The two files belong to different sets; get both again.")
            .at(labels_path.display()));
        }
        if let Some((i, label)) = labels.iter().enumerate().find(|(_, label)| **label >= self.classes.len()) {
            let expected = format!("be below {}, the number of classes", self.classes.len());
            return Err(Error::data(format!("label {i}"), expected, label)
                .help(help)
                .at(labels_path.display()));
        }
        Ok(ArrayDataset::new(images, labels)?.scale(1.0 / 255.0).with_class_names(self.classes))
    }
}

impl Official<'_> {
    /// Reads the array of a file that must be the published one.
    ///
    /// The checksum is taken over the bytes in memory, and the same bytes are decoded: the file cannot change between
    /// the check and the use. At most one byte more than the published size is kept, however large the file is.
    fn read_published(&self, path: &Path) -> Result<IdxArray> {
        let failed = |e| Error::io("read", path, e).help("Check the permission to read it, or delete it.");
        let mut file = File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.by_ref().take(self.bytes + 1).read_to_end(&mut bytes).map_err(failed)?;
        let found = Checksum::of(bytes.as_slice().chain(file)).map_err(failed)?;
        if found != self.sha256 {
            let help = "The file is damaged or was altered. Delete it, and it can be fetched again.";
            return Err(mismatch(path.display().to_string(), self.sha256, found, help.to_owned()));
        }
        idx::read_from(&bytes[..], &path.display().to_string())
    }
}

/// Downloads a file into the folder, under its name.
#[cfg(feature = "download")]
fn fetch(url: &str, folder: &Path, file: &Official, remedy: &str) -> Result<()> {
    let Official { name, bytes, sha256 } = *file;
    super::download::Download { url, folder, name, bytes, sha256, remedy }.fetch()
}

/// Without the feature nothing can be downloaded.
#[cfg(not(feature = "download"))]
fn fetch(url: &str, folder: &Path, file: &Official, remedy: &str) -> Result<()> {
    let reason =
        format!("{} has no {}, and this build lacks the feature `download`", folder.display(), file.name);
    let kind = crate::error::ErrorKind::Download { url: url.to_owned(), reason, unreachable: false };
    Err(Error::new(kind).help(format!("Build Plywood with the feature `download`. {remedy}")))
}

#[cfg(test)]
mod tests;
