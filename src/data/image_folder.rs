//! Reads images from a folder with a subfolder for each class.

use super::pixels::{Decoding, Fit, ImageForm};
use super::{ArrayDataset, Images};
use crate::data::class_names::{be_one_of, check_classes, trimmed};
use crate::error::{Error, Result};
use crate::kernels::threads;
use crate::shown::{count, lines, listed};
use crate::tensor::Tensor;
use ndarray::{ArrayD, IxDyn};
use std::fmt;
use std::path::{Path, PathBuf};

/// Files with the indices of their classes, sorted.
type Labelled = Vec<(usize, PathBuf)>;

/// The number of files that are decoded at a time, before their pixels are appended to the others.
const AT_A_TIME: usize = 128;

/// The greatest depth of folders within a class's folder: a link that leads back to its own folder would have no end.
const DEEPEST: usize = 16;

/// A folder of images. It has a subfolder of PNG and JPEG files for each class, named after the class (without spaces
/// at its ends).
///
/// ```text
/// photos/benign/1.png                    class 0, "benign"
/// photos/benign/2.jpg
/// photos/malignant/clinic a/1.jpg        class 1, "malignant": folders within a class are gone through
/// ```
///
/// ```no_run
/// use plywood::prelude::*;
///
/// let read = ImageFolder::new("photos/train", [64, 64]).read()?; // RGB
/// println!("{read}"); // how many of which class
/// let mut model = Sequential::builder([3, 64, 64])
///     .layer(Conv2d::filters(16, 3)).layer(ReLU).layer(GlobalAvgPool)
///     .layer(Dense::units(read.images.class_names().len())).layer(Softmax)
///     .build()?;
/// Trainer::new(CrossEntropy::default(), Adam::default()).epochs(5).fit(&mut model, &read.images)?;
///
/// let classes = read.images.class_names().to_vec();
/// let test = ImageFolder::new("photos/test", [64, 64]).classes(classes).read()?;
/// println!("{}", evaluate::classification_report(&model, &test.images)?);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// | | shape of an image |
/// |---|---|
/// | RGB, the default | `[3, height, width]` |
/// | [`grey`](ImageFolder::grey) | `[height, width]` |
///
/// Every image is rotated as its EXIF data say and stretched to the same size, whatever its proportions (see
/// [`fit`](ImageFolder::fit)). Transparent pixels are laid over white (see [`background`](ImageFolder::background)), so
/// black on a transparent ground is black on white. All conversions are code of this crate, so the bits of the images do
/// not depend on the version of another one. A channel has 8 bits: an image of 16 bits is an error, because if it uses only a part of
/// its range, only a few greys would remain. Images stay bytes in memory and are read as numbers from 0 to 1. Classes
/// are sorted by name, images by path: the order does not depend on the file system or on the number of threads that
/// decode.
///
/// No file is skipped silently. A file that is no image, a broken image, or a file beside the classes' folders is an
/// error that names it. With [`skip_faulty`](ImageFolder::skip_faulty) such files are left out and listed with their
/// errors in [`ImageFiles::skipped`], and the first few also in the images' [remarks](crate::data::Dataset::remarks),
/// which `fit` prints. Only names that begin with a full stop are ignored.
///
/// It corresponds to torchvision's `ImageFolder` and Keras' `image_dataset_from_directory`. Those resize later,
/// without an anti-aliasing filter, and neither reports everything that it left out.
#[derive(Clone, Debug)]
#[must_use = "nothing is read before `read` is called"]
pub struct ImageFolder {
    path: PathBuf,
    form: ImageForm,
    decoding: Decoding,
    /// Empty if the folders determine the classes.
    classes: Vec<String>,
    skip: bool,
}

/// The images of an [`ImageFolder`], and a report on its files.
///
/// Its `Display` shows the number of images of each class, and lists the first files that were left out.
#[derive(Debug)]
#[non_exhaustive]
pub struct ImageFiles {
    /// The images that were read, with their classes.
    pub images: Images,
    /// The file of each image.
    pub files: Vec<PathBuf>,
    /// The files that were left out, each with the reason; empty unless
    /// [`skip_faulty`](ImageFolder::skip_faulty) was called.
    pub skipped: Vec<(PathBuf, Error)>,
}

impl ImageFolder {
    /// Selects the images in this folder, to be read as RGB of this height and width. Files are not opened before
    /// [`read`](ImageFolder::read).
    pub fn new(path: impl Into<PathBuf>, [height, width]: [u32; 2]) -> Self {
        let decoding = Decoding { in_folder: true, ..Decoding::default() };
        let form = ImageForm::of(height as usize, width as usize);
        Self { path: path.into(), form, decoding, classes: Vec::new(), skip: false }
    }

    /// Sets whether images have one channel instead of three, and the shape `[height, width]`.
    ///
    /// The grey value of a coloured image is its brightness, `(2126 · red + 7152 · green + 722 · blue) / 10000`, rounded
    /// down.
    pub fn grey(mut self, grey: bool) -> Self {
        self.form.grey = grey;
        self
    }

    /// Sets what is done if an image has other proportions; by default it is stretched.
    pub fn fit(mut self, fit: Fit) -> Self {
        self.form.fit = fit;
        self
    }

    /// Sets the colour behind transparent pixels, as red, green and blue; the default is white.
    ///
    /// A pixel of opacity `a` becomes `(a · value + (255 - a) · background) / 255` in each channel, rounded to nearest.
    pub fn background(mut self, colour: [u8; 3]) -> Self {
        self.form.background = colour;
        self
    }

    /// Sets the classes, in the order of their indices: for test images, the classes that the model was trained on.
    ///
    /// Then a class without a folder simply has no images, and a folder of another name is an error.
    pub fn classes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.classes = trimmed(names);
        self
    }

    /// Sets whether files that cannot be read are left out and listed in [`ImageFiles::skipped`]. By default they are
    /// an error.
    pub fn skip_faulty(mut self, skip: bool) -> Self {
        self.skip = skip;
        self
    }

    /// Sets the greatest height and width, in pixels, that are decoded; the default is 8,192.
    ///
    /// A file of a few kilobytes can claim enough pixels to fill the memory. An image that claims a larger side, or
    /// needs more than 512 MiB, is an error, found before any pixel is decoded.
    pub fn largest_side(mut self, pixels: u32) -> Self {
        self.decoding.largest_side = pixels;
        self
    }

    /// Reads all images, on [`threads()`](crate::threads) threads.
    ///
    /// # Errors
    /// When there is no such folder, no image, or a class without one (unless the [`classes`](ImageFolder::classes)
    /// were given), with the reasons of the first files that were left out; when the images do not fit into memory; and
    /// for the first faulty file, unless [`skip_faulty`](ImageFolder::skip_faulty) was called.
    pub fn read(&self) -> Result<ImageFiles> {
        self.form.check()?;
        let mut skipped = Vec::new();
        let (names, found) = self.files(&mut skipped)?;
        let mut pixels = Vec::new();
        let room = found.len().checked_mul(self.form.len());
        room.filter(|&bytes| pixels.try_reserve_exact(bytes).is_ok()).ok_or_else(|| {
            let found = format!("{} images of {} bytes", found.len(), self.form.len());
            Error::argument("the images", "small enough to fit into memory", found)
                .help("Use a smaller size, or read the images in a `Dataset` of your own.")
        })?;
        let (mut files, mut labels) = (Vec::new(), Vec::new());
        let mut rest = found.into_iter();
        loop {
            let some: Vec<(usize, PathBuf)> = rest.by_ref().take(AT_A_TIME).collect();
            if some.is_empty() {
                break;
            }
            let images = threads::map(some.len(), |i| self.bytes_of(&some[i].1));
            for ((class, path), image) in some.into_iter().zip(images) {
                match image {
                    Ok(bytes) => {
                        pixels.extend_from_slice(&bytes);
                        labels.push(class);
                        files.push(path);
                    }
                    Err(error) => self.fault(&mut skipped, path, error)?,
                }
            }
        }
        skipped.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (class, name) in names.iter().enumerate() {
            if self.classes.is_empty() && !labels.contains(&class) {
                let of_it = skipped.iter().filter(|(path, _)| self.class_of(path) == Some(name));
                let reasons = left_out_below(of_it.map(|(_, error)| error).collect());
                return Err(Error::data(format!("class {name:?}"), "have an image", "none")
                    .help(format!("Put images into its folder, or remove the folder.{reasons}"))
                    .at(self.path.display()));
            }
        }
        if labels.is_empty() {
            let folders = listed(&names, 10);
            let reasons = left_out_below(skipped.iter().map(|(_, error)| error).collect());
            return Err(Error::data(format!("the classes' folders ({folders})"), "have images", "none")
                .help(format!("Put PNG or JPEG files into them.{reasons}"))
                .at(self.path.display()));
        }
        let images = ArrayD::from_shape_vec(self.shape(labels.len()), pixels)
            .map_err(|error| Error::custom(error).at(self.path.display()))?;
        let mut images = ArrayDataset::new(images, labels)?.scale(1.0 / 255.0).with_class_names(names);
        if !skipped.is_empty() {
            let (folder, left_out) = (self.path.display(), count(skipped.len(), "file", "files"));
            images =
                images.with_remarks([format!("{folder}: {left_out} left out:{}", listed_below(&skipped))]);
        }
        Ok(ImageFiles { images, files, skipped })
    }

    /// Reads one file as a batch of one, in the same form and scale as the others: for `predict`.
    ///
    /// ```no_run
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::load("lesions.plywood")?;
    /// let image = ImageFolder::new("", [64, 64]).image("new/photo.jpg")?; // [1, 3, 64, 64]
    /// println!("{}", model.predict(&image)?);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read, or is no PNG or JPEG image.
    pub fn image(&self, path: impl AsRef<Path>) -> Result<Tensor<f32>> {
        self.form.check()?;
        let bytes = self.bytes_of(path.as_ref())?;
        // The same factor as in the data set, so that the numbers are bit-identical.
        let (pixels, scale) = (bytes.into_iter().map(f32::from), (1.0 / 255.0) as f32);
        Tensor::from_shape_vec(self.shape(1), pixels.map(|pixel| pixel * scale).collect())
            .map_err(Error::custom)
    }

    /// The shape of an array of `count` images.
    fn shape(&self, count: usize) -> IxDyn {
        let (height, width) = (self.form.height, self.form.width);
        if self.form.grey { IxDyn(&[count, height, width]) } else { IxDyn(&[count, 3, height, width]) }
    }

    /// Reads the image in a file and converts it.
    fn bytes_of(&self, path: &Path) -> Result<Vec<u8>> {
        let pixels = self.decoding.file(path)?;
        let (bytes, _) = self.form.convert(&pixels).map_err(|error| error.at(path.display()))?;
        Ok(bytes)
    }

    /// Returns the classes' names, and the sorted files with their classes.
    fn files(&self, skipped: &mut Vec<(PathBuf, Error)>) -> Result<(Vec<String>, Labelled)> {
        let mut folders = Vec::new();
        for path in entries(&self.path)? {
            if path.is_dir() {
                let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
                let name = name.ok_or_else(|| {
                    Error::format(path.display().to_string(), "be named in UTF-8", "another encoding")
                        .help("Give the folder another name: it is the class's.")
                })?;
                folders.push((name.trim().to_owned(), path));
            } else {
                let error = Error::format(path.display().to_string(), "be a class's folder", "a file")
                    .help("Put it into the folder of its class, or leave such files out with `skip_faulty`.");
                self.fault(skipped, path, error)?;
            }
        }
        folders.sort_unstable();
        let found: Vec<String> = folders.iter().map(|(name, _)| name.clone()).collect();
        check_classes(&found).map_err(|error| error.at(self.path.display()))?;
        let names = match &self.classes[..] {
            [] => found,
            names => names.to_vec(),
        };
        check_classes(&names)?;
        if names.is_empty() {
            return Err(Error::data("the folder", "have a folder for each class", "none")
                .help("Put the images of each class into a folder with the class's name.")
                .at(self.path.display()));
        }
        let mut found = Vec::new();
        for (name, folder) in folders {
            let mut files = Vec::new();
            walk(&folder, 0, &mut files)?;
            match names.iter().position(|known| *known == name) {
                Some(class) => found.extend(files.into_iter().map(|file| (class, file))),
                None => {
                    let error = |path: &Path| {
                        let expected = be_one_of(&names);
                        Error::data("the folder's name", expected, format!("{name:?}"))
                            .help("Train on images of this class, or leave them out with `skip_faulty`.")
                            .at(path.display())
                    };
                    if files.is_empty() {
                        self.fault(skipped, folder.clone(), error(&folder))?;
                    }
                    for file in files {
                        let error = error(&file);
                        self.fault(skipped, file, error)?;
                    }
                }
            }
        }
        found.sort_unstable();
        Ok((names, found))
    }

    /// Returns the class whose folder the file is in.
    fn class_of<'a>(&self, file: &'a Path) -> Option<&'a str> {
        let mut below = file.strip_prefix(&self.path).ok()?.components();
        below.next()?.as_os_str().to_str().map(str::trim)
    }

    /// Records the error with the file, or returns it unless faulty files are skipped.
    fn fault(&self, skipped: &mut Vec<(PathBuf, Error)>, path: PathBuf, error: Error) -> Result<()> {
        if !self.skip {
            return Err(error);
        }
        skipped.push((path, error));
        Ok(())
    }
}

/// Returns the sorted paths in a folder, without hidden ones.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::io("read the folder", folder, e).help("Check the path and the permission.");
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// Appends all files in a folder and its subfolders.
fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    if depth > DEEPEST {
        let expected = format!("be at most {DEEPEST} folders deep in its class's folder");
        return Err(Error::format(folder.display().to_string(), expected, "more")
            .help("Look for a link that leads back to a folder it is in."));
    }
    for path in entries(folder)? {
        if path.is_dir() {
            walk(&path, depth + 1, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The end of an error message if files were left out before the error: how many, and the first ones.
fn left_out_below(errors: Vec<&Error>) -> String {
    let total = errors.len();
    if total == 0 {
        return String::new();
    }
    format!(
        " {} left out:{}",
        count(total, "file was", "files were"),
        lines(errors.into_iter().map(Error::parts), total)
    )
}

/// The first files that were left out, each with its error.
fn listed_below(skipped: &[(PathBuf, Error)]) -> String {
    lines(skipped.iter().map(|(_, error)| error.parts()), skipped.len())
}

/// Shows the counts by class, and the files that were left out.
impl fmt::Display for ImageFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.images.class_names();
        write!(f, "{} images in {} classes", self.images.len(), names.len())?;
        for (class, name) in names.iter().enumerate() {
            let count = self.images.targets().iter().filter(|&&label| label == class).count();
            write!(f, "{} {name} {count}", if class == 0 { ":" } else { "," })?;
        }
        if !self.skipped.is_empty() {
            write!(f, "\n{} left out:", self.skipped.len())?;
        }
        f.write_str(&listed_below(&self.skipped))
    }
}
