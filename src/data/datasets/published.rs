//! Reading a published data set of four IDX files: which folder, which checks, and what to fetch.
//!
//! The order is: a folder that the user names, else the cache, else a download into the cache. A folder that the user
//! names is never passed over: what is wrong with it is an error, not a reason to look elsewhere.
//!
//! | where the files are | which name | must be the published file |
//! |---|---|---|
//! | a folder that the user names | with or without `.gz` | only if it has the published size |
//! | the cache | with `.gz` | always |
//! | a download into the cache | with `.gz` | always, before it gets its name |
//!
//! A user's folder may hold another set of the same form (a part, a variation), hence the middle way: a file of the
//! published size that differs was damaged, and a file of another size is the user's own. The check reads each file
//! whole; for Fashion-MNIST's 31 MB that is a fraction of a second.

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

/// A published data set: four files, as MNIST made it the custom.
pub(super) struct Collection<'a> {
    /// What people call it.
    pub(super) title: &'a str,
    /// The name of its folder in the cache.
    pub(super) folder: &'a str,
    /// The variable of the environment that names a folder to use instead of everything else.
    pub(super) dir_variable: &'a str,
    /// The variable that names another host.
    pub(super) url_variable: &'a str,
    /// The official host.
    pub(super) host: &'a str,
    /// Images and labels of the training set, images and labels of the test set.
    pub(super) files: [Official<'a>; 4],
    /// The names of the classes, in the order of their labels.
    pub(super) classes: [&'a str; 10],
}

/// What the environment says.
///
/// Read once, at the call, and handed on: so tests can make their own without touching the environment, which all
/// threads share.
pub(super) struct Environment {
    /// The folder to use instead of everything else.
    dir: Option<PathBuf>,
    /// The root of the cache; none where there is no home.
    cache: Option<PathBuf>,
    /// The host to ask instead of the official one.
    host: Option<String>,
}

impl Environment {
    /// As it is now; variables that are set to nothing count as not set.
    pub(super) fn of(collection: &Collection) -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            dir: variable(collection.dir_variable).map(PathBuf::from),
            cache: variable("PLYWOOD_CACHE_DIR").map(PathBuf::from).or_else(users_cache),
            host: variable(collection.url_variable).map(|host| host.to_string_lossy().into_owned()),
        }
    }
}

/// The folder of this crate among the user's caches; none where there is no home.
#[cfg(feature = "download")]
fn users_cache() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("plywood"))
}

/// Without the feature nothing knows where users have their caches.
#[cfg(not(feature = "download"))]
fn users_cache() -> Option<PathBuf> {
    None
}

impl Collection<'_> {
    /// The training set and the test set: from the folder that the settings name and nowhere else, or from the cache,
    /// into which is fetched what is not there.
    ///
    /// # Errors
    /// When a file is missing and cannot be fetched, is not the published one, or does not hold what it should.
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

    /// The training set and the test set from a folder of the user's.
    ///
    /// # Errors
    /// When a file is missing, cannot be read, was altered, or does not hold what it should.
    pub(super) fn load_from(&self, dir: &Path) -> Result<(Images, Images)> {
        if let Err(e) = std::fs::read_dir(dir) {
            let help =
                format!("Name the folder that holds the four files; they can be had from {}.", self.host);
            return Err(Error::io("open the folder", dir, e).help(help).at(self.title));
        }
        self.assemble(|file| self.own(file, dir)).map_err(|e| e.at(self.title))
    }

    /// What to do instead, in full sentences.
    ///
    /// It stands at the end of every error that a download makes, since a machine without a network is the usual
    /// cause.
    fn remedy(&self) -> String {
        format!(
            "Get the four files of {} from {} or a copy of it, and set {} to the folder that holds them; or set {} to \
             a host that has them.",
            self.title, self.host, self.dir_variable, self.url_variable
        )
    }

    /// Both sets, from wherever `read` gets a file and its path.
    ///
    /// The first file that fails ends it, so nothing is downloaded in vain after an error.
    fn assemble(&self, read: impl Fn(&Official) -> Result<(IdxArray, PathBuf)>) -> Result<(Images, Images)> {
        let [train_images, train_labels, test_images, test_labels] = &self.files;
        let set = |images, labels| self.set(read(images)?, read(labels)?);
        Ok((set(train_images, train_labels)?, set(test_images, test_labels)?))
    }

    /// A file of the cache, which must be the published one; fetched if it is not there.
    ///
    /// Any other failure to open it than "not found" is left for the reading that follows, which reports it.
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

    /// A file of the user's own, compressed or not.
    ///
    /// The compressed file comes first where both are there.
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

    /// A set of images and labels, if they are that.
    ///
    /// What a model and a loss rely on later is checked here, with the file's name at hand: 28 x 28 pixels, as many
    /// labels as images, each label a class.
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
    /// The array of a file that must be the published one.
    ///
    /// The sum is taken over the bytes as they are in memory, and these are then decoded: the file cannot change
    /// between the check and the use. No more than the published size and one byte is kept, however large the file
    /// is.
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

/// Fetches a file into the folder, under its name.
#[cfg(feature = "download")]
fn fetch(url: &str, folder: &Path, file: &Official, remedy: &str) -> Result<()> {
    let Official { name, bytes, sha256 } = *file;
    super::download::Download { url, folder, name, bytes, sha256, remedy }.fetch()
}

/// Without the feature nothing can be fetched.
#[cfg(not(feature = "download"))]
fn fetch(url: &str, folder: &Path, file: &Official, remedy: &str) -> Result<()> {
    let reason =
        format!("{} has no {}, and this build lacks the feature `download`", folder.display(), file.name);
    let kind = crate::error::ErrorKind::Download { url: url.to_owned(), reason, unreachable: false };
    Err(Error::new(kind).help(format!("Build Plywood with the feature `download`. {remedy}")))
}

#[cfg(test)]
mod tests;
