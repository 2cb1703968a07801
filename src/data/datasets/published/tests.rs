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

/// The files of a small data set, treated as published ones: three training samples and two test samples.
struct Small {
    files: [Vec<u8>; 4],
    sums: [String; 4],
}

impl Small {
    fn new() -> Self {
        let files = [images(3, 51), labels(&[0, 9, 4]), images(2, 255), labels(&[1, 2])].map(|f| gzip(&f));
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

/// Settings with a cache and, if given, a host; nothing else is set.
fn cache(folder: &Folder, host: Option<String>) -> Environment {
    Environment { dir: None, cache: Some(folder.path().to_owned()), host }
}

fn assert_small((train, test): (Images, Images)) {
    assert_eq!((train.inputs().shape(), test.inputs().shape()), (&[3, 28, 28][..], &[2, 28, 28][..]));
    assert_eq!((&train.targets()[..], &test.targets()[..]), (&[0, 9, 4][..], &[1, 2][..]));
    assert_eq!(train.class_names()[3], "3");
    let mut batch = crate::data::Batch::<f64, Vec<usize>>::default();
    let read = crate::data::Dataset::<f64>::read;
    read(&train, &[0], crate::data::Pass::Evaluate, &mut batch).unwrap();
    assert!((batch.inputs[0][[0, 5, 5]] - 0.2).abs() < 1e-12);
}

#[test]
fn a_folder_is_read_with_and_without_gzip() {
    let (folder, small) = (Folder::new("own"), Small::new());
    small.write(folder.path());
    assert_small(MNIST.load_from(folder.path()).unwrap()); // not of the official sizes: the user's own files
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
    let settings = |dir: &Path| Environment { dir: Some(dir.to_owned()), ..cache(&full, None) };
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
    altered[4] ^= 1; // part of gzip's time stamp, which no reader checks
    fs::write(&path, altered).unwrap();
    let error = small.collection().load_from(folder.path()).unwrap_err();
    let ErrorKind::Checksum { file, expected, .. } = error.kind() else { panic!("{error}") };
    assert_eq!((file, expected), (&path.display().to_string(), &small.sums[3]));
    assert!(error.to_string().contains("Delete it"));
}

#[test]
fn files_that_do_not_fit_are_errors_that_name_them() {
    for (file, content, part) in [
        (0, images(2, 0), "must be 2, one for each image of"),
        (0, images(0, 0), "with at least one sample, got [0, 28, 28]"),
        (0, labels(&[1, 2, 3]), "got [3]"),
        (1, labels(&[0, 10, 4]), "label 1 must be below 10, the number of classes, got 10"),
        (1, images(3, 0), "the labels must have shape [samples], got [3, 28, 28]"),
        (2, vec![0, 0, 0x0D, 1, 0, 0, 0, 1, 0, 0, 0, 0], "the elements must be of type u8, got f32"),
        (3, b"<html>".to_vec(), "the first bytes must be"),
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
    let nowhere = Environment { dir: None, cache: None, host: None };
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
