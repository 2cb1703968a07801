//! Fashion-MNIST and MNIST: from a folder, from the user's cache, or from their official hosts.
//!
//! Files that are already on the disk are not downloaded again, and no file of the cache is used unless it has its
//! published SHA-256: a download that was tampered with cannot become training data unnoticed.
//!
//! | | Fashion-MNIST | MNIST |
//! |---|---|---|
//! | images | clothing, in ten classes | handwritten digits |
//! | training, test | 60,000 and 10,000 | 60,000 and 10,000 |
//! | size of an image | 28 x 28 bytes | 28 x 28 bytes |
//! | to download | 31 MB | 12 MB |
//! | in memory | 55 MB and 0.6 MB of labels | the same |
//! | a folder of your own | `FASHION_MNIST_DIR` | `MNIST_DIR` |
//! | another host | `FASHION_MNIST_URL` | `MNIST_URL` |
//!
//! The classes of both are equally frequent or nearly so, and the samples are not sorted, so `validation_split` is
//! safe to use. For synthetic images that need no files, see [`garments`](crate::data::synthetic).

mod checksum;
#[cfg(feature = "download")]
mod download;
#[cfg(test)]
pub(super) mod fixtures;
mod published;

use super::Images;
use super::synthetic::CLASS_NAMES;
use crate::error::Result;
use published::{Collection, Environment, Official};
use std::path::Path;

/// H. Xiao, K. Rasul and R. Vollgraf, 2017, <https://github.com/zalandoresearch/fashion-mnist>, MIT licence.
const FASHION_MNIST: Collection = Collection {
    title: "Fashion-MNIST",
    folder: "fashion-mnist",
    dir_variable: "FASHION_MNIST_DIR",
    url_variable: "FASHION_MNIST_URL",
    host: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    files: [
        Official {
            name: "train-images-idx3-ubyte.gz",
            bytes: 26_421_880,
            sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        },
        Official {
            name: "train-labels-idx1-ubyte.gz",
            bytes: 29_515,
            sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        },
        Official {
            name: "t10k-images-idx3-ubyte.gz",
            bytes: 4_422_102,
            sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        },
        Official {
            name: "t10k-labels-idx1-ubyte.gz",
            bytes: 5_148,
            sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ],
    classes: CLASS_NAMES,
};

/// Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits"; the host is the mirror of the
/// Common Visual Data Foundation.
const MNIST: Collection = Collection {
    title: "MNIST",
    folder: "mnist",
    dir_variable: "MNIST_DIR",
    url_variable: "MNIST_URL",
    host: "http://storage.googleapis.com/cvdf-datasets/mnist",
    files: [
        Official {
            name: "train-images-idx3-ubyte.gz",
            bytes: 9_912_422,
            sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        },
        Official {
            name: "train-labels-idx1-ubyte.gz",
            bytes: 28_881,
            sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        },
        Official {
            name: "t10k-images-idx3-ubyte.gz",
            bytes: 1_648_877,
            sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        },
        Official {
            name: "t10k-labels-idx1-ubyte.gz",
            bytes: 4_542,
            sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ],
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
};

/// Returns Fashion-MNIST: 60,000 training and 10,000 test images of clothing, 28 x 28 bytes, read as numbers from 0
/// to 1, with labels from 0 to 9 and the classes' names.
///
/// The four files come from the first of these sources that applies:
///
/// 1. If the environment has `FASHION_MNIST_DIR`, from that folder and nowhere else, as by [`fashion_mnist_from`].
/// 2. Else from the cache: `fashion-mnist/` in the folder `PLYWOOD_CACHE_DIR`, or in `plywood/` in the user's cache
///    folder (`~/.cache` on Linux and macOS, or the value of `XDG_CACHE_HOME`).
/// 3. Files that are not in the cache are downloaded into it, once, from the official host, or from the address in
///    `FASHION_MNIST_URL` (plain HTTP; needs the feature `download`).
///
/// Files of the cache must have the published SHA-256, however they got there. Environment variables that are empty
/// count as not set.
///
/// ```no_run
/// use plywood::data::datasets;
///
/// let (train, test) = datasets::fashion_mnist()?;
/// assert_eq!(train.inputs().shape(), [60_000, 28, 28]);
/// assert_eq!(test.class_names()[0], "T-shirt/top");
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Scaled to 0 … 1, all pixels of the training images have the mean 0.286 and the standard deviation 0.353. Keras'
/// `fashion_mnist.load_data()` returns the same arrays as bytes, torchvision's `FashionMNIST` the same as tensors.
///
/// # Errors
/// When a file is missing and cannot be downloaded ([`ErrorKind::Download`](crate::ErrorKind::Download), whose
/// `unreachable` is true if no host was reached), is not the published one
/// ([`ErrorKind::Checksum`](crate::ErrorKind::Checksum)), or has other contents than it should.
pub fn fashion_mnist() -> Result<(Images, Images)> {
    FASHION_MNIST.load(&Environment::of(&FASHION_MNIST))
}

/// Reads Fashion-MNIST from a folder: the four files by their official names, each with or without `.gz`.
///
/// A `.gz` file with the size of the official one must be the official one, by its SHA-256. Other files are taken as
/// your own, with any number of images, and only their form is checked: images of 28 x 28 bytes, as many labels, each
/// below 10.
///
/// ```no_run
/// use plywood::data::datasets;
///
/// let (train, test) = datasets::fashion_mnist_from("data/fashion-mnist")?;
/// # let _ = (train, test);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// When a file is missing, cannot be read, was altered, or has other contents than it should.
pub fn fashion_mnist_from(dir: impl AsRef<Path>) -> Result<(Images, Images)> {
    FASHION_MNIST.load_from(dir.as_ref())
}

/// Returns MNIST: 60,000 training and 10,000 test images of handwritten digits, in the form of [`fashion_mnist`]. The
/// variables are `MNIST_DIR` and `MNIST_URL`, the folder in the cache is `mnist/`.
///
/// ```no_run
/// use plywood::data::datasets;
///
/// let (train, test) = datasets::mnist()?;
/// # let _ = (train, test);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// # Errors
/// As [`fashion_mnist`].
pub fn mnist() -> Result<(Images, Images)> {
    MNIST.load(&Environment::of(&MNIST))
}

/// Reads MNIST from a folder, as [`fashion_mnist_from`].
///
/// ```
/// let error = plywood::data::datasets::mnist_from("/no/such/folder").unwrap_err();
/// let text = error.to_string();
/// assert!(text.starts_with("MNIST: could not open the folder /no/such/folder: "), "{text}");
/// assert!(matches!(error.kind(), plywood::ErrorKind::Io { .. }));
/// ```
///
/// # Errors
/// As [`fashion_mnist_from`].
pub fn mnist_from(dir: impl AsRef<Path>) -> Result<(Images, Images)> {
    MNIST.load_from(dir.as_ref())
}
