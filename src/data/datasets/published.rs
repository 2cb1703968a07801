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
pub(super) struct Settings {
    /// The folder to use instead of everything else.
    dir: Option<PathBuf>,
    /// The root of the cache; none where there is no home.
    cache: Option<PathBuf>,
    /// The host to ask instead of the official one.
    host: Option<String>,
}

impl Settings {
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
    pub(super) fn load(&self, settings: &Settings) -> Result<(Images, Images)> {
        if let Some(dir) = &settings.dir {
            return self.load_from(dir).map_err(|e| e.at(self.dir_variable));
        }
        let Some(cache) = &settings.cache else {
            return Err(Error::data("a cache folder", "to look for files in", "no folder of this user's")
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
            return Err(Error::shape("images", expected, images.shape())
                .help(help)
                .at(images_path.display()));
        }
        let labels = labels.into_labels().map_err(|e| e.at(labels_path.display()))?;
        let count = images.shape()[0];
        if labels.len() != count {
            let found = labels.len();
            return Err(Error::data(
                "labels",
                format!("for the {count} images of {}", images_path.display()),
                found,
            )
            .help("The two files belong to different sets; get both again.")
            .at(labels_path.display()));
        }
        if let Some((i, label)) = labels.iter().enumerate().find(|(_, label)| **label >= self.classes.len()) {
            let expected = format!("below {}, the number of classes", self.classes.len());
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
mod tests {
    use super::*;
    use crate::data::datasets::MNIST;
    use crate::data::datasets::fixtures::Folder;
    use crate::error::ErrorKind;
    use std::fs;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// An IDX file of images, all of one tone.
    fn images(count: u8, tone: u8) -> Vec<u8> {
        let head = [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28];
        [&head[..], &vec![tone; usize::from(count) * 784]].concat()
    }

    /// An IDX file of labels.
    fn labels(labels: &[u8]) -> Vec<u8> {
        [&[0, 0, 8, 1, 0, 0, 0, labels.len() as u8], labels].concat()
    }

    /// The files of a small data set, as if they had been published: three training samples and two test samples.
    struct Small {
        files: [Vec<u8>; 4],
        sums: [String; 4],
    }

    impl Small {
        fn new() -> Self {
            let files =
                [images(3, 51), labels(&[0, 9, 4]), images(2, 255), labels(&[1, 2])].map(|f| gzip(&f));
            let sums = std::array::from_fn(|i| Checksum::of(&files[i][..]).unwrap());
            Self { files, sums }
        }

        fn collection(&self) -> Collection<'_> {
            let files = std::array::from_fn(|i| Official {
                name: MNIST.files[i].name,
                bytes: self.files[i].len() as u64,
                sha256: &self.sums[i],
            });
            Collection { files, host: "http://127.0.0.1:1", ..MNIST }
        }

        /// Writes the files, each with its official name.
        fn write(&self, folder: &Path) {
            fs::create_dir_all(folder).unwrap();
            for (file, content) in MNIST.files.iter().zip(&self.files) {
                fs::write(folder.join(file.name), content).unwrap();
            }
        }
    }

    /// Settings that have a cache, and nothing else but a host if one is given.
    fn cache(folder: &Folder, host: Option<String>) -> Settings {
        Settings { dir: None, cache: Some(folder.path().to_owned()), host }
    }

    fn assert_small((train, test): (Images, Images)) {
        assert_eq!((train.inputs().shape(), test.inputs().shape()), (&[3, 28, 28][..], &[2, 28, 28][..]));
        assert_eq!((&train.targets()[..], &test.targets()[..]), (&[0, 9, 4][..], &[1, 2][..]));
        assert_eq!(train.class_names()[3], "3");
        let mut batch = crate::data::Batch::<f64, Vec<usize>>::default();
        let read = crate::data::Dataset::<f64>::read;
        read(&train, &[0], crate::data::Pass::Evaluate, &mut batch).unwrap();
        assert!((batch.input[[0, 5, 5]] - 0.2).abs() < 1e-12);
    }

    #[test]
    fn a_folder_is_read_with_and_without_gzip() {
        let (folder, small) = (Folder::new("own"), Small::new());
        small.write(folder.path());
        assert_small(MNIST.load_from(folder.path()).unwrap()); // not of the official sizes: one's own files
        assert_small(small.collection().load_from(folder.path()).unwrap());
        fs::remove_file(folder.path().join("t10k-images-idx3-ubyte.gz")).unwrap();
        fs::write(folder.path().join("t10k-images-idx3-ubyte"), images(2, 7)).unwrap();
        assert_small(small.collection().load_from(folder.path()).unwrap());
    }

    #[test]
    fn a_folder_that_lacks_something_is_an_error_and_nothing_else_is_tried() {
        let (folder, full, small) = (Folder::new("lacking"), Folder::new("full"), Small::new());
        small.write(folder.path());
        small.write(&full.path().join("mnist"));
        let missing = folder.path().join("train-labels-idx1-ubyte.gz");
        fs::remove_file(&missing).unwrap();
        let settings = |dir: &Path| Settings { dir: Some(dir.to_owned()), ..cache(&full, None) };
        let text = small.collection().load(&settings(folder.path())).unwrap_err().to_string();
        let start = "MNIST_DIR, MNIST: could not find train-labels-idx1-ubyte.gz (or train-labels-idx1-ubyte) in the \
                     folder ";
        assert!(text.starts_with(start) && text.contains(&folder.path().display().to_string()), "{text}");
        let text = small.collection().load(&settings(&missing)).unwrap_err().to_string();
        assert!(text.starts_with("MNIST_DIR, MNIST: could not open the folder "), "{text}");
        fs::write(&missing, b"").unwrap();
        assert!(small.collection().load(&settings(folder.path())).is_err());
        assert_small(small.collection().load(&settings(&full.path().join("mnist"))).unwrap());
    }

    #[test]
    fn a_file_of_the_official_size_must_be_the_official_one() {
        let (folder, small) = (Folder::new("altered"), Small::new());
        small.write(folder.path());
        let path = folder.path().join(MNIST.files[3].name);
        let mut altered = small.files[3].clone();
        altered[4] ^= 1; // a time that gzip carries along and nobody checks
        fs::write(&path, altered).unwrap();
        let error = small.collection().load_from(folder.path()).unwrap_err();
        let ErrorKind::Checksum { file, expected, .. } = error.kind() else { panic!("{error}") };
        assert_eq!((file, expected), (&path.display().to_string(), &small.sums[3]));
        assert!(error.to_string().contains("Delete it"));
    }

    #[test]
    fn files_that_do_not_fit_are_errors_that_name_them() {
        for (file, content, part) in [
            (0, images(2, 0), "for the 2 images of"),
            (0, images(0, 0), "with at least one sample, found [0, 28, 28]"),
            (0, labels(&[1, 2, 3]), "found [3]"),
            (1, labels(&[0, 10, 4]), "label 1 below 10, the number of classes, found 10"),
            (1, images(3, 0), "labels of shape [samples], found [3, 28, 28]"),
            (2, vec![0, 0, 0x0D, 1, 0, 0, 0, 1, 0, 0, 0, 0], "elements of type u8, found f32"),
            (3, b"<html>".to_vec(), "the start to be"),
        ] {
            let (folder, small) = (Folder::new("unfit"), Small::new());
            small.write(folder.path());
            fs::write(folder.path().join(MNIST.files[file].name), content).unwrap();
            let text = small.collection().load_from(folder.path()).unwrap_err().to_string();
            assert!(text.contains(part) && text.contains(MNIST.files[file].name), "{text}");
            assert!(text.starts_with("MNIST, "), "{text}");
        }
    }

    #[test]
    fn the_cache_needs_no_network_and_must_be_the_published_files() {
        let (folder, small) = (Folder::new("cache"), Small::new());
        small.write(&folder.path().join("mnist"));
        assert_small(small.collection().load(&cache(&folder, None)).unwrap());
        let path = folder.path().join("mnist").join(MNIST.files[2].name);
        for content in [&b""[..], &small.files[2][1..], &[&small.files[2][..], b"more"].concat()] {
            fs::write(&path, content).unwrap();
            let error = small.collection().load(&cache(&folder, None)).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Checksum { .. }), "{error}");
            assert_eq!(fs::read(&path).unwrap(), content); // neither removed nor replaced
        }
        let nowhere = Settings { dir: None, cache: None, host: None };
        let text = small.collection().load(&nowhere).unwrap_err().to_string();
        assert!(text.contains("Set PLYWOOD_CACHE_DIR"), "{text}");
    }

    #[cfg(not(feature = "download"))]
    #[test]
    fn without_the_feature_the_error_names_it() {
        let text = MNIST.load(&cache(&Folder::new("none"), None)).unwrap_err().to_string();
        assert!(text.contains("the feature `download`"), "{text}");
    }

    #[cfg(feature = "download")]
    mod downloads {
        use super::*;
        use crate::data::datasets::fixtures::{Server, answer};

        /// A host that has the files below `/files/`, with some replaced.
        fn host(replace: impl Fn(usize) -> Option<Vec<u8>> + Send + 'static) -> Server {
            let small = Small::new();
            Server::new(move |path| {
                let found = MNIST.files.iter().position(|f| path == format!("/files/{}", f.name)).unwrap();
                answer(&replace(found).unwrap_or_else(|| small.files[found].clone()))
            })
        }

        #[test]
        fn what_is_missing_is_fetched_once() {
            let (folder, small, server) = (Folder::new("fetched"), Small::new(), host(|_| None));
            let settings = cache(&folder, Some(server.url("/files/")));
            assert_small(small.collection().load(&settings).unwrap());
            drop(server);
            assert_small(small.collection().load(&settings).unwrap());
            fs::remove_file(folder.path().join("mnist").join(MNIST.files[1].name)).unwrap();
            let error = small.collection().load(&cache(&folder, None)).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Download { unreachable: true, .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("set MNIST_DIR to the folder") && text.contains("MNIST_URL"), "{text}");
        }

        #[test]
        fn a_tampered_file_is_refused_and_not_kept() {
            let (folder, small) = (Folder::new("tampered"), Small::new());
            let server = host(|i| (i == 1).then(|| gzip(&labels(&[0, 9, 5]))));
            let error = small.collection().load(&cache(&folder, Some(server.url("/files")))).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Checksum { .. }), "{error}");
            let kept: Vec<_> = fs::read_dir(folder.path().join("mnist")).unwrap().collect();
            assert_eq!(kept.len(), 1); // the first file, which is the published one
            let good = host(|_| None);
            assert_small(small.collection().load(&cache(&folder, Some(good.url("/files")))).unwrap());
        }
    }
}
