//! Writes the files that fuzzing begins with: `cargo run --example seeds` in the folder `fuzz`.

#[path = "../../tests/hostile/kinds.rs"]
#[allow(missing_docs)]
mod kinds;

#[path = "../../tests/hostile/file.rs"]
#[allow(dead_code, missing_docs)]
mod file;

#[path = "../../tests/hostile/run.rs"]
#[allow(missing_docs)]
mod run;

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use kinds::every_kind;
use plywood::prelude::*;
use plywood::train::Checkpoints;
use plywood::Scalar;
use std::fs;
use std::io::Cursor;
use std::path::Path;

fn main() {
    models::<f32>();
    models::<f64>();
    let metadata =
        Metadata::new().classes(["cat", "dog"]).preprocessing("bytes / 255").note("author", "nobody");
    let mut bytes = Vec::new();
    network::<f32>().write_to(&mut bytes, &metadata).expect("a file in memory");
    write("model", "network", &bytes);
    // Shapes that have made programs panic, or fill the memory.
    let model = file::File::of(&bytes).expect("a model's file");
    for shape in [&[2, u64::MAX][..], &[1 << 62, 5, 6], &[u64::MAX], &[1, 1 << 26, 1], &[1; 40]] {
        write("model", &format!("input-{shape:x?}"), &model.with_input(shape).bytes());
    }

    let folder = std::env::temp_dir().join(format!("plywood-seeds-{}", std::process::id()));
    let every = Checkpoints::in_folder(&folder).every_batches(1).keep_last(10).keep_best("val_loss");
    let (mut model, trainer) = run::begun(2);
    trainer.checkpoints(every).fit(&mut model, &run::data()).expect("a run");
    for file in fs::read_dir(&folder).expect("checkpoints").map(|file| file.expect("one of them").path()) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        write("checkpoint", &name, &fs::read(&file).expect("a file that was written"));
    }
    fs::remove_dir_all(&folder).expect("a folder to remove");

    let dict = network::<f32>().weights_to_bytes().expect("weights");
    write("safetensors", "network", &dict);
    write("safetensors", "f64", &network::<f64>().weights_to_bytes().expect("weights"));
    let theirs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/torch/state_dict.safetensors");
    write("safetensors", "torch", &fs::read(theirs).expect("a state dict of PyTorch"));
    for dtype in ["F16", "BF16", "I64", "F8_E4M3", "F4"] {
        let header = format!(
            "{{\"__metadata__\":{{\"format\":\"pt\"}},\"0.bi\\u0061s\":{{\"dtype\":\"{dtype}\",\"shape\":[2],\
             \"data_offsets\":[0,4]}}}}"
        );
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0, 60, 0, 188]].concat();
        write("safetensors", dtype, &bytes);
    }
    let far = br#"{"a":{"dtype":"X","shape":[],"data_offsets":[0,18446744073709551615]}}"#;
    write("safetensors", "far", &[&(far.len() as u64).to_le_bytes()[..], far].concat());

    for (kind, size) in [(8u8, 1), (9, 1), (11, 2), (12, 4), (13, 4), (14, 8)] {
        for way in 0..4 {
            let numbers = vec![1; 6 * size];
            let bytes = [&[way, 0, 0, kind, 2, 0, 0, 0, 2, 0, 0, 0, 3], &numbers[..]].concat();
            write("idx", &format!("{kind}-{way}"), &bytes);
        }
    }
    let packed =
        [31, 139, 8, 8, 0, 0, 0, 0, 2, 255, 110, 0, 99, 96, 96, 224, 96, 100, 96, 96, 96, 102, 100, 98, 6, 0];
    write("idx", "gzip", &[&[0], &packed[..]].concat());

    for (name, table) in [
        ("plain", "\x04a,b\n1,2\n3.5,-4e3\n\n5,?\n6,7\n"),
        ("gzip", "\0a,b\n1,2\n3,x\n"),
        ("quotes", "\x04\"a\",\"b\"\n\"1\",\"x \"\"y\"\"\"\n2,\"z\n, \"\n"),
        ("semicolons", "\x05\u{feff}a;b;c\r\n1;2;3\r\n4;5;6\r\n"),
        ("tabs", "\x06\ta\tb\n0\t1e38\tx\n1\t1e39\ty\n"),
        ("pandas", "\x04Unnamed: 0,a,b\n0,1,yes\n1,NA,no\n2,inf,?\n"),
    ] {
        write("table", name, table.as_bytes());
    }
    for (name, table) in [
        ("german", "\x01id;price;day;word\n\"1\";2,5;1.2.2020;x\n2;?;3.4.2021;\"y;\nz\"\n3;1.234,5;30.1.2020;NA\n"),
        ("gzip", "\0n,b,d\n1,yes,2020-01-31\n2,no,2020-02-03\n"),
        ("comments", "\x01# notes\n#\na\tb\n5s\t7n\n1\t2\n"),
        ("no header", "\x016,59;8,46;a\n1,98;8,67;a\n1,8;4,31;b\n"),
    ] {
        write("guessed", name, table.as_bytes());
    }
    for (name, texts) in [
        ("plain", "\x04label,text\na,Hello, world\nb,\"na\u{ef}ve, \u{1f600}\"\n?,c\n"),
        ("gzip", "\0label,text\na,some\nb,words\n"),
        ("quotes", "\x07text|label\nthe \"red\" hat|a\n\"two\nlines \"\"x\"\"\"|b\n"),
        (
            "scripts",
            "\x04label,text\na,\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940} co\u{ad}op\nb,\u{4e16}\u{754c}\n",
        ),
    ] {
        write("texts", name, texts.as_bytes());
    }
    images();
}

/// Small images of each kind that is read, and names for a folder.
fn images() {
    let pixels = DynamicImage::ImageRgba8(RgbaImage::from_fn(9, 7, |x, y| {
        Rgba([x as u8 * 20, y as u8 * 30, 99, 255 - x as u8])
    }));
    let kinds = [
        ("rgba", pixels.clone()),
        ("rgb", pixels.to_rgb8().into()),
        ("grey", pixels.to_luma8().into()),
        ("grey-alpha", pixels.to_luma_alpha8().into()),
        ("rgb16", pixels.to_rgb16().into()),
    ];
    for (kind, pixels) in kinds {
        for (format, name) in [(ImageFormat::Png, "png"), (ImageFormat::Jpeg, "jpeg")] {
            let mut bytes = Cursor::new(vec![1]);
            bytes.set_position(1);
            if pixels.write_to(&mut bytes, format).is_ok() {
                write("images", &format!("{kind}-{name}"), bytes.get_ref());
            }
        }
    }
    write(
        "images",
        "names",
        b"\02b/c.png\n1b/d.txt\n2e/f/g.jpg\n0h\n2a/.hidden\n2 a/b.png\n2i.png\n2a/\xff.png\n0a/j.png",
    );
}

/// The network that the target compares with, and some more.
fn network<F: Scalar>() -> Sequential<F> {
    let block = || Sequential::<F>::block_of();
    let builder = Sequential::<F>::builder_of([2, 4, 4]).layer(Conv2d::filters(2, 3)).layer(Flatten);
    let residual = Residual::around(block().layer(Dense::units(8)));
    let inner = block().layer(Dense::units(2)).layer(BatchNorm::new());
    builder.layer(residual).layer(inner).build().expect("a network")
}

/// A file for each kind of layer, and one for each inside a container.
fn models<F: Scalar>() {
    for (kind, shape, block) in every_kind::<F>() {
        let model = Sequential::<F>::builder_of(shape).layer(block).build().expect("a model of one layer");
        write("model", &format!("{kind}-{}", F::NAME), &model.to_bytes().expect("its bytes"));
    }
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join(name), bytes))
        .expect("a folder to write");
}
