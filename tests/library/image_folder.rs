//! Folders of images: valid files, broken files, and files that are not images.

use crate::folder::Folder;
use image::{ImageFormat, Rgb, RgbImage};
use plywood::data::{Fit, Pixels};
use plywood::ndarray::Axis;
use plywood::prelude::*;
use std::fs;
use std::path::PathBuf;

/// Encodes an image of one colour.
fn encoded(width: u32, height: u32, colour: [u8; 3], format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(width, height, Rgb(colour)).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    encoded(width, height, colour, ImageFormat::Png)
}

fn text<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn classes_and_images_come_in_order_with_channels_first() {
    let folder = Folder::new("images-order");
    folder.write("zebra/2.png", &png(2, 3, [10, 20, 30]));
    folder.write("zebra/1/deep.jpg", &encoded(9, 7, [200, 100, 50], ImageFormat::Jpeg));
    folder.write("ant/odd name.JPEG", &png(8, 8, [255, 0, 0])); // recognized by its content
    folder.write("ant/.DS_Store", b"hidden");
    let read = ImageFolder::new(&folder.0, [3, 2]).read().unwrap();
    assert_eq!(read.images.class_names(), ["ant", "zebra"]);
    assert_eq!(read.images.targets(), &[0, 1, 1]);
    assert_eq!(read.images.inputs().shape(), [3, 3, 3, 2]);
    assert!(read.skipped.is_empty() && read.files[1].ends_with("zebra/1/deep.jpg"));
    let colour = |i: usize| {
        let image = read.images.inputs().index_axis(Axis(0), i);
        [0, 1, 2].map(|c| image.index_axis(Axis(0), c).iter().map(|&p| f64::from(p)).sum::<f64>() / 6.0)
    };
    assert_eq!((colour(0), colour(2)), ([255.0, 0.0, 0.0], [10.0, 20.0, 30.0]));
    assert!(colour(1).iter().zip([200.0, 100.0, 50.0]).all(|(a, b)| (a - b).abs() < 3.0), "{:?}", colour(1));
    assert_eq!(read.to_string(), "3 images in 2 classes: ant 1, zebra 2");

    // A single file read alone gives the same bits as in the data set.
    let mut batch = Batch::<f32, Vec<usize>>::default();
    read.images.read(&[1], Pass::Evaluate, &mut batch).unwrap();
    let alone = ImageFolder::new("images-", [3, 2]).image(&read.files[1]).unwrap();
    assert_eq!(alone, batch.inputs[0]);

    let grey = ImageFolder::new(&folder.0, [5, 4]).grey(true).read().unwrap();
    assert_eq!(grey.images.inputs().shape(), [3, 5, 4]);
    assert_eq!(grey.images.inputs()[[0, 0, 0]], 54); // 0.2126 of 255
}

#[test]
fn fine_stripes_become_grey_when_an_image_is_made_smaller() {
    let folder = Folder::new("images-stripes");
    let stripes = RgbImage::from_fn(64, 64, |x, _| Rgb([if x % 2 == 0 { 0 } else { 255 }; 3]));
    stripes.save(folder.write("a/1.png", b"")).unwrap();
    let read = ImageFolder::new(&folder.0, [8, 8]).grey(true).read().unwrap();
    assert!(
        read.images.inputs().iter().all(|&pixel| (110..146).contains(&pixel)),
        "{}",
        read.images.inputs()
    );
}

#[test]
fn a_faulty_file_is_an_error_or_is_left_out_and_listed() {
    let folder = Folder::new("images-faulty");
    let (whole, jpeg) = (png(40, 40, [9, 9, 9]), encoded(40, 40, [9, 90, 9], ImageFormat::Jpeg));
    folder.write("a/good.png", &whole);
    folder.write("b/good.jpg", &jpeg);
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle] ^= 0x55;
    let gif = b"GIF89a\x01\0\x01\0\0\0\0;";
    let long = png(40, 5, [1, 1, 1]);
    let faults: [(&str, &[u8], &str); 9] = [
        ("a/cut.png", &whole[..whole.len() - 20], "be a PNG or JPEG image, got"),
        ("a/flipped.png", &flipped, "be a PNG or JPEG image, got"),
        ("b/cut.jpg", &jpeg[..jpeg.len() - 2], "be a whole JPEG image, got a file that is cut off."),
        ("b/half.jpg", &jpeg[..jpeg.len() / 2], "be a whole JPEG image, got a file that is cut off."),
        ("a/empty.png", b"", "be a PNG or JPEG image, got"),
        ("a/notes.txt", b"some notes", "be a PNG or JPEG image, got"),
        ("a/moving.gif", gif, "be a PNG or JPEG image, got"),
        ("a/long.png", &long, "be an image of at most 39 by 39 pixels, got"),
        ("beside.png", &whole, "be a class's folder, got a file."),
    ];
    let reader = ImageFolder::new(&folder.0, [4, 4]);
    for (name, bytes, expected) in faults {
        let path = folder.write(name, bytes);
        let mut reader = reader.clone();
        if name == "a/long.png" {
            fs::write(folder.0.join("a/good.png"), png(3, 3, [7, 7, 7])).unwrap();
            fs::write(folder.0.join("b/good.jpg"), png(3, 3, [7, 7, 7])).unwrap();
            reader = reader.largest_side(39);
        }
        let error = text(reader.read());
        assert!(error.starts_with(&format!("{} must {expected}", path.display())), "{error}");
        assert!(error.contains("`skip_faulty`") || error.contains("`largest_side`"), "{error}");
        let read = reader.skip_faulty(true).read().unwrap();
        assert_eq!((read.images.len(), read.skipped.len()), (2, 1), "{name}: {read}");
        assert_eq!((&read.skipped[0].0, read.skipped[0].1.to_string()), (&path, error.clone()));
        assert_eq!(read.to_string(), format!("2 images in 2 classes: a 1, b 1\n1 left out:\n  {error}"));
        fs::remove_file(path).unwrap();
    }
}

/// Returns a PNG whose header claims a side of `side` pixels; compressed, the pixels would take a few kilobytes.
fn bomb(side: u32) -> Vec<u8> {
    let mut bytes = png(1, 1, [0, 0, 0]);
    bytes[16..20].copy_from_slice(&side.to_be_bytes());
    bytes[20..24].copy_from_slice(&side.to_be_bytes());
    let sum = bytes[12..29].iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    bytes[29..33].copy_from_slice(&(!sum).to_be_bytes());
    bytes
}

#[test]
fn an_image_that_claims_to_be_huge_is_refused() {
    let folder = Folder::new("images-bomb");
    folder.write("a/1.png", &bomb(60_000));
    let error = text(ImageFolder::new(&folder.0, [4, 4]).read());
    assert!(error.contains("an image of at most 8192 by 8192 pixels, got"), "{error}");
    folder.write("a/1.png", &bomb(5_000));
    let error = text(ImageFolder::new(&folder.0, [4, 4]).read());
    assert!(error.contains(" must have the data of all its 5000 x 5000 pixels, got "), "{error}");
    folder.write("a/1.png", &bomb(60_000));
    let error = text(ImageFolder::new(&folder.0, [4, 4]).largest_side(u32::MAX).read());
    let expected = "be an image that takes at most 536870912 bytes, got 10800000000. Make it smaller.";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn classes_of_the_training_hold_at_test_time() {
    let folder = Folder::new("images-classes");
    folder.write("cat/1.png", &png(2, 2, [1, 1, 1]));
    folder.write("dog/1.png", &png(2, 2, [2, 2, 2]));
    let reader = ImageFolder::new(&folder.0, [2, 2]).classes(["ant", "dog"]);
    let path = folder.0.join("cat/1.png");
    let error = text(reader.read());
    assert_eq!(
        error,
        format!(
            "{}: the folder's name must be one of the 2 classes (ant, dog), got \"cat\". Train on images of this \
             class, or leave them out with `skip_faulty`.",
            path.display()
        )
    );
    let read = reader.skip_faulty(true).read().unwrap();
    assert_eq!((read.images.targets(), &read.skipped[0].0), (&vec![1], &path));
    assert_eq!(read.images.class_names(), ["ant", "dog"]);
}

#[test]
fn folders_without_images_and_settings_out_of_range_are_errors() {
    let folder = Folder::new("images-none");
    let read = |size| ImageFolder::new(&folder.0, size).read();
    let place = folder.0.display().to_string();
    assert_eq!(
        text(read([4, 4])),
        format!(
            "{place}: the folder must have a folder for each class, got none. Put the images of each class into a \
             folder with the class's name."
        )
    );
    folder.write("a/1.png", &png(2, 2, [0, 0, 0]));
    fs::create_dir(folder.0.join("b")).unwrap();
    assert_eq!(
        text(read([4, 4])),
        format!(
            "{place}: class \"b\" must have an image, got none. Put images into its folder, or remove the folder."
        )
    );
    assert!(
        text(read([0, 4]))
            .starts_with("the height and width of images must be from 1 to 16384, got 0 and 4.")
    );
    assert!(read([u32::MAX, 4]).is_err());
    let error = text(ImageFolder::new(folder.0.join("no"), [4, 4]).read());
    assert!(error.starts_with("could not read the folder "), "{error}");
    let error = text(ImageFolder::new(&folder.0, [4, 4]).image(folder.0.join("a")));
    assert!(
        error.ends_with("Check that it is a file, and the permission to read it.")
            || error.contains("must be a file")
    );
}

#[test]
fn the_number_of_threads_makes_no_difference() {
    let folder = Folder::new("images-threads");
    for i in 0..300u32 {
        let name = format!("{}/{i}.png", i % 3);
        if i % 50 == 7 {
            folder.write(&name, b"broken")
        } else {
            folder.write(&name, &png(5, 4, [i as u8; 3]))
        };
    }
    let run = |threads| {
        let _threads = crate::take_threads(threads);
        let read = ImageFolder::new(&folder.0, [6, 6]).skip_faulty(true).read().unwrap();
        let skipped: Vec<_> =
            read.skipped.iter().map(|(path, error)| (path.clone(), error.to_string())).collect();
        (read.images.inputs().clone(), read.images.targets().clone(), read.files, skipped)
    };
    let one = run(1);
    assert_eq!((one.1.len(), one.3.len()), (294, 6));
    assert!(run(2) == one && run(4) == one);
}

#[test]
fn transparent_pixels_have_the_background_behind_them() {
    let folder = Folder::new("images-transparent");
    let ink = image::RgbaImage::from_fn(2, 1, |x, _| image::Rgba([0, 0, 0, if x == 0 { 255 } else { 0 }]));
    let path = folder.write("a/1.png", b"");
    ink.save(&path).unwrap();
    let grey = image::GrayAlphaImage::from_fn(2, 1, |x, _| image::LumaA([0, if x == 0 { 255 } else { 0 }]));
    grey.save(folder.write("a/2.png", b"")).unwrap();
    let reader = ImageFolder::new(&folder.0, [1, 2]).grey(true);
    let pixels =
        |reader: &ImageFolder| reader.read().unwrap().images.inputs().iter().copied().collect::<Vec<u8>>();
    assert_eq!(pixels(&reader), [0, 255, 0, 255]);
    assert_eq!(pixels(&reader.clone().background([0; 3])), [0, 0, 0, 0]);
    let red = reader.background([255, 0, 0]);
    assert_eq!(pixels(&red), [0, 54, 0, 54]);
    assert_eq!(pixels(&red.grey(false)), [0, 255, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0]);
    assert_eq!(Pixels::read(&path).unwrap(), Pixels::rgba([1, 2], ink.into_raw()).unwrap());
}

#[test]
fn images_are_stretched_cropped_or_padded() {
    let folder = Folder::new("images-fit");
    let sides = RgbImage::from_fn(8, 4, |x, _| Rgb([if (2..6).contains(&x) { 200 } else { 0 }; 3]));
    let path = folder.write("a/1.png", b"");
    sides.save(&path).unwrap();
    let reader = ImageFolder::new(&folder.0, [4, 4]).grey(true);
    let row = |fit, row: usize| {
        let read = reader.clone().fit(fit).read().unwrap();
        read.images
            .inputs()
            .index_axis(Axis(0), 0)
            .index_axis(Axis(0), row)
            .iter()
            .copied()
            .collect::<Vec<u8>>()
    };
    assert_eq!(
        row(Fit::Stretch, 1),
        reader.read().unwrap().images.inputs().iter().copied().collect::<Vec<_>>()[4..8]
    );
    assert_eq!((row(Fit::Crop, 0), row(Fit::Crop, 3)), (vec![200; 4], vec![200; 4]));
    assert_eq!((row(Fit::Pad(9), 0), row(Fit::Pad(9), 3)), (vec![9; 4], vec![9; 4]));
    assert_eq!(row(Fit::Pad(9), 1), row(Fit::Stretch, 1));
}

#[test]
fn sixteen_bits_are_not_cut_to_eight() {
    let folder = Folder::new("images-sixteen");
    // 12-bit data in 16 bits: cut to 8 bits, it would have 16 grey levels.
    let grey = image::ImageBuffer::from_fn(8, 8, |x, y| image::Luma([(x * 512 + y * 8) as u16]));
    let colour = image::ImageBuffer::from_fn(8, 8, |x, y| Rgb([x as u16, y as u16, 4000]));
    folder.write("a/0.png", &png(8, 8, [1, 2, 3]));
    for deep in [image::DynamicImage::ImageLuma16(grey), image::DynamicImage::ImageRgb16(colour)] {
        let path = folder.write("a/1.png", b"");
        deep.save(&path).unwrap();
        for reader in [ImageFolder::new(&folder.0, [8, 8]), ImageFolder::new(&folder.0, [8, 8]).grey(true)] {
            let expected = format!(
                "{} must be an image of 8 bits per channel, got 16 bits. Convert it to 8 bits by the range of its \
                 numbers (12 bits of 16 would become 16 greys), use an `ArrayDataset` of `f32` for the numbers as \
                 they are, or leave such files out with `skip_faulty`.",
                path.display()
            );
            assert_eq!(text(reader.read()), expected);
            assert_eq!(text(reader.image(&path)), expected);
            assert_eq!(reader.skip_faulty(true).read().unwrap().skipped.len(), 1);
        }
    }
}

/// If all images of a class are broken, the error gives the reasons, because there is no list of skipped files.
#[test]
fn a_class_of_which_every_image_is_left_out_is_an_error_with_the_reasons() {
    let folder = Folder::new("images-all-faulty");
    let place = folder.0.display().to_string();
    folder.write("a/1.png", &png(2, 2, [0, 0, 0]));
    folder.write("a/2.png", b"no image");
    let faulty: Vec<PathBuf> = (0..12).map(|i| folder.write(&format!("b/{i:02}.png"), b"no image")).collect();
    let reader = ImageFolder::new(&folder.0, [4, 4]).skip_faulty(true);
    // The advice, which is the same for all files, comes only after the first one.
    let remedy = ". Convert it, take it out of the folder, or leave such files out with `skip_faulty`.";
    let reasons = |files: &[PathBuf]| -> String {
        let lines: String = files.iter().map(|file| format!("\n  {}", text(reader.image(file)))).collect();
        lines.replace(remedy, "").replacen(
            "could not be determined",
            &format!("could not be determined{remedy}"),
            1,
        )
    };
    assert_eq!(
        text(reader.read()),
        format!(
            "{place}: class \"b\" must have an image, got none. Put images into its folder, or remove the folder. \
             12 files were left out:{}\n  and 2 more",
            reasons(&faulty[..10])
        )
    );
    let known = reader.clone().classes(["b"]);
    fs::remove_dir_all(folder.0.join("a")).unwrap();
    faulty[1..].iter().for_each(|file| fs::remove_file(file).unwrap());
    assert_eq!(
        text(known.read()),
        format!(
            "{place}: the classes' folders (b) must have images, got none. Put PNG or JPEG files into them. 1 \
             file was left out:{}",
            reasons(&faulty[..1])
        )
    );
}

#[cfg(unix)]
#[test]
fn folders_whose_names_differ_in_spaces_alone_are_no_two_classes() {
    let folder = Folder::new("images-spaces");
    folder.write("cat/1.png", &png(2, 2, [0, 0, 0]));
    folder.write("dog /1.png", &png(2, 2, [0, 0, 0]));
    let read = ImageFolder::new(&folder.0, [2, 2]).read().unwrap();
    assert_eq!(read.images.class_names(), ["cat", "dog"]);
    let known = ImageFolder::new(&folder.0, [2, 2]).classes(["dog", "cat "]).read().unwrap();
    assert!(known.images.targets() == &[0, 1] && known.files[0].ends_with("dog /1.png"));
    folder.write("cat /1.png", &png(2, 2, [0, 0, 0]));
    let error = text(ImageFolder::new(&folder.0, [2, 2]).read());
    assert!(
        error.ends_with("the class names must be distinct, got \"cat\" twice. Give each class once."),
        "{error}"
    );
    let doubled = text(ImageFolder::new(&folder.0, [2, 2]).classes(["cat", "cat"]).read());
    assert!(doubled.contains("got \"cat\" twice"), "{doubled}");
}

#[test]
fn a_long_list_of_files_that_were_left_out_is_cut() {
    let folder = Folder::new("images-many");
    folder.write("a/good.png", &png(2, 2, [0, 0, 0]));
    for i in 0..30 {
        folder.write(&format!("a/{i:02}.png"), b"broken");
    }
    let read = ImageFolder::new(&folder.0, [2, 2]).skip_faulty(true).read().unwrap();
    let said = read.to_string();
    assert_eq!((read.skipped.len(), said.lines().count()), (30, 13), "{said}");
    assert!(said.contains("\n30 left out:\n  ") && said.ends_with("\n  and 20 more"), "{said}");
    let full = read.skipped[0].1.to_string();
    let remedy = full.rsplit_once(". ").expect("a remedy").1;
    assert_eq!(said.matches(remedy).count(), 1, "{remedy} in {said}");
    // `fit` prints it too, and subsets pass it on.
    let subset = plywood::data::Subset::new::<f32>(&read.images, vec![0]).unwrap();
    let [remark] = Dataset::<f32>::remarks(&subset) else { panic!("one remark") };
    assert!(remark.starts_with(&format!("{}: 30 files left out:\n  ", folder.0.display())), "{remark}");
    assert!(remark.ends_with("\n  and 20 more") && remark.lines().count() == 12, "{remark}");
    folder.write("b/good.png", &png(2, 2, [0, 0, 0]));
    let whole = ImageFolder::new(&folder.0, [2, 2]).classes(["b"]).skip_faulty(true).read().unwrap();
    assert_eq!(whole.images.remarks().len(), 1);
}

/// Opening a named pipe blocks until somebody writes to it.
#[cfg(unix)]
#[test]
fn a_named_pipe_is_no_image_and_keeps_nobody_waiting() {
    let folder = Folder::new("images-pipe");
    folder.write("a/1.png", &png(2, 2, [1, 2, 3]));
    let made = std::process::Command::new("mkfifo").arg(folder.0.join("a/2.png")).status().unwrap();
    assert!(made.success());
    let error = text(ImageFolder::new(&folder.0, [2, 2]).read());
    assert!(error.contains("2.png must be a file, got something else"), "{error}");
    let read = ImageFolder::new(&folder.0, [2, 2]).skip_faulty(true).read().unwrap();
    assert_eq!((read.images.len(), read.skipped.len()), (1, 1));
}
