//! Untrusted files: any bytes give an error or something that works, with memory bounded by the size of the file.
//!
//! The fuzzer (fuzz/) calls the same checks with its own bytes. Every problem that it found has a test here.
#![expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]
#![cfg(feature = "datasets")]

mod hostile;

use hostile::file::{Dice, File};
use hostile::kinds::every_kind;
use hostile::meter::peak;
use hostile::{Meter, bound, mend};
use plywood::data::{IdxStream, idx};
use plywood::io::StateDict;
use plywood::prelude::*;
use plywood::train::Checkpoints;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[global_allocator]
static METER: Meter = Meter;

/// The meter counts the whole process, so only one test runs at a time.
static TURN: Mutex<()> = Mutex::new(());

fn alone() -> impl Drop {
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Changes, inserts, removes or copies a few bytes.
fn changed(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len().max(1));
        match dice.below(6) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes.insert(at.min(bytes.len()), dice.below(256) as u8),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 => {
                let from = dice.below(bytes.len().max(1));
                let some: Vec<u8> = bytes.iter().skip(from).take(1 + dice.below(8)).copied().collect();
                bytes.iter_mut().skip(at).zip(some).for_each(|(to, from)| *to = from);
            }
            4 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = [0, 1, 250, 253, 255][at % 5]),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
        }
    }
    bytes
}

/// Changes bytes within one part of a file and corrects the lengths, or changes sizes, or changes or adds layers.
fn rebuilt(file: &File, others: &[File], dice: &mut Dice) -> Vec<u8> {
    let mut file = file.clone();
    if dice.below(3) == 0 {
        file.append(&others[dice.below(others.len())]);
    }
    let mut within = Dice(dice.below(1 << 30) as u64);
    for _ in 0..=dice.below(3) {
        file.mutate(dice, &mut |part| *part = changed(part, &mut within));
    }
    file.bytes()
}

/// `PLYWOOD_MUTATIONS=400000` sets the number of mutations (default 40,000). The slowest time is printed but not
/// checked, because the machine may be busy. (The fuzzer has a time limit.)
#[test]
fn a_changed_model_is_an_error_or_works_when_its_sums_are_mended() {
    let _turn = alone();
    let count: usize = std::env::var("PLYWOOD_MUTATIONS").map_or(40_000, |text| text.parse().unwrap());
    let models = every_kind::<f32>().into_iter().map(|(kind, shape, block)| {
        let model = Sequential::builder(shape).layer(block).build().unwrap_or_else(|e| panic!("{kind}: {e}"));
        model.to_bytes().unwrap()
    });
    let models: Vec<_> = models.collect();
    let mut files: Vec<_> = models.iter().map(|bytes| File::of(bytes).expect("a model's file")).collect();
    for (bytes, file) in models.iter().zip(&files) {
        let mut again = file.bytes();
        mend(&mut again);
        assert!(&again == bytes, "taken apart and put together");
    }
    // A layer accepts other input shapes than a container does.
    files.extend(files.iter().map(File::unnested).collect::<Vec<_>>());
    let (mut dice, mut slowest, mut loaded) = (Dice(1), (Duration::ZERO, 0), 0);
    let registry = Registry::<f32>::builtin();
    for i in 0..count {
        let mut bytes = match dice.below(3) {
            0 => changed(&models[i % models.len()], &mut dice),
            _ => rebuilt(&files[i % files.len()], &files, &mut dice),
        };
        mend(&mut bytes);
        if bytes.len() > 1 << 20 {
            continue;
        }
        let begin = Instant::now();
        hostile::model(&bytes);
        slowest = slowest.max((begin.elapsed(), i));
        loaded += usize::from(Sequential::from_bytes(&bytes, &registry).is_ok());
    }
    println!(
        "{count} changed models, {loaded} of them load; the slowest, number {}, took {:.1?}",
        slowest.1, slowest.0
    );
    assert!(loaded > count / 10, "{loaded} of {count} load");
}

/// Small graphs: of layers alone, of operations, with two inputs and outputs, with a shared layer and a constant, with a
/// table, and with lengths.
fn small_graphs() -> Vec<Vec<u8>> {
    let [a, b, c, d, e, f] = std::array::from_fn(|_| Graph::builder());
    a.output("y", a.input("x", [2]).layer(Dense::units(2)).layer(Softmax));
    let x = b.input("x", [3, 2]);
    let y =
        x.matmul(b.param("w", [2, 2], Initializer::GlorotUniform)).tanh().reshape([2, -1]).permute([0, 2, 1]);
    b.output("y", (y.max_keepdim(-1) - y.clip(-0.5, 0.5)).softmax(-1));
    let (left, right) = (c.input("left", [2]), c.input("right", [3]));
    let y = left.concat(&[right.slice(-1, 1..)], -1);
    c.output("class", y.layer(Dense::units(2)).sigmoid());
    c.output("size", (y.square().mean(-1) + 1.0).ln());
    let (left, right) = (d.input("left", [2]), d.input("right", [2]));
    let [p, q] = d.shared(Dense::units(2), [left, right]);
    let scaled = p.greater(q).where_cond(p, q) * d.constant(ndarray::arr1(&[1.0, 0.5]));
    d.output("y", scaled.index_axis(-1, 0) / (q.abs().sum(-1) + 1.0));
    let ids = e.input("ids", [2]);
    let table = e.param("table", [3, 2], Initializer::GlorotUniform);
    e.output("y", table.gather(ids).layer(BatchNorm::new()).matmul(table.t()).exp());
    let x = f.input("ids", [2]).layer(Embedding::vocabulary(3, 2).padding(0));
    let y = x.layer(PoolSteps::mean()) + x.with_lengths(f.input("lengths", [])).max(1);
    f.output("y", y + x.tanh().sum(1) * x.without_lengths().sum(2) * x.step_mask());
    [a, b, c, d, e, f].map(|g| g.build().and_then(|graph| graph.to_bytes()).unwrap()).to_vec()
}

/// Every one-byte change of small graphs, with the checksums mended: an error, or a model that infers and trains.
#[test]
fn every_changed_byte_of_a_graph_is_an_error_or_works() {
    let _turn = alone();
    let (mut tried, mut loaded) = (0usize, 0);
    for original in small_graphs() {
        assert!(hostile::any_model::<f32>(&original));
        let mut bytes = original.clone();
        for at in 0..bytes.len() {
            for by in 1..=255u8 {
                bytes[at] = original[at].wrapping_add(by);
                mend(&mut bytes);
                tried += 1;
                loaded += usize::from(hostile::any_model::<f32>(&bytes));
            }
            bytes.copy_from_slice(&original);
        }
    }
    println!("{tried} changes, {loaded} of them load");
    assert!(loaded > tried / 20, "{loaded} of {tried} load");
}

/// Every changed byte of predictors of all kinds of blocks, with the checksums mended: an error, or a predictor that
/// answers.
#[test]
fn every_changed_byte_of_a_predictor_is_an_error_or_works() {
    let _turn = alone();
    let (mut tried, mut loaded) = (0usize, 0);
    for original in hostile::predictors::small() {
        assert!(hostile::predictors::predictor(&original));
        let registry = (Registry::builtin(), plywood::predictor::Blocks::builtin());
        hostile::predictors::odd_table(&Predictor::from_bytes(&original, &registry.0, &registry.1).unwrap());
        let mut bytes = original.clone();
        for at in 0..bytes.len() {
            for by in [1u8, 2, 4, 16, 64, 128, 200, 251, 253, 254, 255] {
                bytes[at] = original[at].wrapping_add(by);
                mend(&mut bytes);
                tried += 1;
                loaded += usize::from(hostile::predictors::predictor(&bytes));
            }
            bytes.copy_from_slice(&original);
        }
        let mut dice = Dice(3);
        for _ in 0..2_000 {
            let mut bytes = changed(&original, &mut dice);
            mend(&mut bytes);
            hostile::predictors::predictor(&bytes);
        }
    }
    println!("{tried} changes, {loaded} of them load");
    assert!(loaded > tried / 20, "{loaded} of {tried} load");
}

/// Shapes that have caused panics or filled the memory: at loading, in the summary, and in `predict`.
#[test]
fn inputs_that_no_memory_holds_are_errors_or_are_refused_by_predict() {
    let _turn = alone();
    let whole = [vec![u64::MAX], vec![1 << 63], vec![1 << 62, 5, 6], vec![2, u64::MAX], vec![0, u64::MAX, 3]];
    let mut loaded = 0;
    let long = [vec![1, 1 << 26, 1], vec![1, 1 << 28, 1], vec![1, 1 << 40], vec![1; 40], vec![1 << 40]];
    for (kind, shape, block) in every_kind::<f32>() {
        let model = Sequential::builder(shape).layer(block).build().unwrap_or_else(|e| panic!("{kind}: {e}"));
        let file = File::of(&model.to_bytes().unwrap()).unwrap().unnested();
        for shape in whole.iter().chain(&long) {
            let mut bytes = file.with_input(shape).bytes();
            mend(&mut bytes);
            hostile::model(&bytes);
            loaded += usize::from(Sequential::from_bytes(&bytes, &Registry::<f32>::builtin()).is_ok());
        }
    }
    assert!(loaded > 50, "{loaded} load");
}

/// The builder refuses an input shape without elements, and loading returns the same error.
#[test]
fn an_input_without_numbers_is_refused_as_the_builder_refuses_it() {
    let _turn = alone();
    let models = [
        Sequential::builder([2]).layer(ReLU),
        Sequential::builder([2, 2]).layer(Sequential::block().layer(Flatten)),
        Sequential::builder([2, 2]),
    ];
    for model in models {
        let file = File::of(&model.build().unwrap().to_bytes().unwrap()).unwrap();
        for shape in [&[0][..], &[0, 2], &[2, 0]] {
            let sizes: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
            let built = Sequential::builder(sizes).layer(ReLU).build().unwrap_err().to_string();
            for file in [&file, &file.unnested()] {
                let mut bytes = file.with_input(shape).bytes();
                mend(&mut bytes);
                hostile::model(&bytes);
                let error = Sequential::from_bytes(&bytes, &Registry::<f32>::builtin()).unwrap_err();
                assert!(error.to_string().contains(&built), "{shape:?}: {error}");
            }
        }
    }
}

/// Found by the fuzzer: a window with two rows over a sequence, whose weights have one row.
#[test]
fn a_window_over_a_sequence_has_one_row() {
    let _turn = alone();
    let (window, registry) = (2, Registry::<f32>::builtin());
    let models = [
        Sequential::builder([2, 9]).layer(Conv1d::filters(3, window).padding(1)),
        Sequential::builder([2, 9]).layer(Conv1d::filters(3, window).padding(Padding::Same)),
        Sequential::builder([2, 9]).layer(MaxPool1d::window(window).padding(Padding::Same)),
        Sequential::builder([2, 9]).layer(AvgPool1d::window(window).padding(Padding::Same)),
    ];
    for model in models {
        let bytes = model.build().unwrap().to_bytes().unwrap();
        let description = 40 + u64::from_le_bytes(bytes[16..24].try_into().unwrap()) as usize;
        let mut refused = 0;
        for at in 40..description {
            for other in [0, 2, 3] {
                let mut bytes = bytes.clone();
                bytes[at] = other;
                mend(&mut bytes);
                hostile::model(&bytes);
                let error = Sequential::from_bytes(&bytes, &registry).map_err(|error| error.to_string());
                refused +=
                    usize::from(error.is_err_and(|text| text.contains("a single row at a fixed place")));
            }
        }
        assert!(refused >= 4, "rows of the size and of the stride, each as 2 and 3: {refused}");
    }
}

#[test]
fn a_changed_checkpoint_is_resumed_or_leaves_everything_as_it_was() {
    let _turn = alone();
    let (folder, mut dice) = (temporary("run"), Dice(4));
    let checkpoints = Checkpoints::in_folder(&folder).every_batches(1).keep_last(10);
    let (mut model, trainer) = hostile::run::begun(2);
    trainer.checkpoints(checkpoints).fit(&mut model, &hostile::run::data()).unwrap();
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 5, "after each of four batches, and at the end");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let parts = File::of(&bytes).expect("a checkpoint");
        for _ in 0..300 {
            let mut bytes = match dice.below(2) {
                0 => changed(&bytes, &mut dice),
                _ => rebuilt(&parts, std::slice::from_ref(&parts), &mut dice),
            };
            mend(&mut bytes);
            hostile::checkpoint(&bytes, &file);
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_changed_state_dict_is_an_error_or_is_read() {
    let _turn = alone();
    let network = Sequential::builder([3]).layer(Dense::units(2)).layer(BatchNorm::new()).build().unwrap();
    let (bytes, mut dice) = (network.weights_to_bytes().unwrap(), Dice(2));
    for _ in 0..3000 {
        hostile::safetensors(&changed(&bytes, &mut dice));
    }
}

fn idx_file(kind: u8, lengths: &[u32], elements: &[u8]) -> Vec<u8> {
    let lengths_of_axes: Vec<u8> = lengths.iter().flat_map(|n| n.to_be_bytes()).collect();
    [&[0, 0, kind, lengths.len() as u8], &lengths_of_axes[..], elements].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("plywood-hostile-{name}-{}", std::process::id()))
}

#[test]
fn a_changed_idx_file_is_an_error_or_is_read() {
    let _turn = alone();
    let (mut dice, path) = (Dice(3), temporary("idx"));
    for kind in [8, 9, 11, 12, 13, 14] {
        let bytes = idx_file(kind, &[2, 3], &vec![1; 6 * [1, 1, 0, 2, 4, 4, 8][kind as usize - 8]]);
        let packed = gzip(&bytes);
        for _ in 0..300 {
            hostile::idx(&changed(&bytes, &mut dice));
            hostile::idx(&changed(&packed, &mut dice));
            hostile::idx(&gzip(&changed(&bytes, &mut dice)));
            hostile::idx_stream(&changed(&bytes, &mut dice), &path);
        }
    }
    std::fs::remove_file(path).unwrap();
}

#[cfg(feature = "csv")]
#[test]
fn a_changed_table_is_an_error_or_the_same_in_memory_and_streamed() {
    let _turn = alone();
    let (mut dice, path) = (Dice(5), temporary("table.csv"));
    let tables: [(&[u8], u8); 5] = [
        (b"a,b\n1,2\n3.5,-4e3\n\n5,?\n6,7\n", b','),
        (b"\xef\xbb\xbfa;b;c\r\n1;2;3\r\n4;5;6\r\n", b';'),
        (b"\"a\",\"b\"\n\"1\",\"x \"\"y\"\"\"\n2,\"z\n, \"\n", b','),
        (b"\ta\tb\n0\t1e38\tx\n1\t1e39\ty\n", b'\t'),
        (b"id,a,b\n1,\xff,x\n2,inf,y\n3,nan,z\n", b','),
    ];
    for (bytes, separator) in tables {
        for _ in 0..200 {
            hostile::tables::numbers(&changed(bytes, &mut dice), separator, &path);
            hostile::tables::numbers(&gzip(&changed(bytes, &mut dice)), separator, &path);
            hostile::tables::guessed(&changed(bytes, &mut dice));
            hostile::tables::guessed(&gzip(&changed(bytes, &mut dice)));
        }
        hostile::tables::numbers(
            &gzip(&[bytes, &bytes[bytes.len() - 4..].repeat(1 << 16)].concat()),
            separator,
            &path,
        );
    }
    // Many columns, with names and without.
    for bytes in [vec![b','; 1 << 16], vec![b';'; 30_000], b"a,".repeat(30_000), vec![b'"'; 1 << 16]] {
        hostile::tables::guessed(&bytes);
        hostile::tables::guessed(&[&bytes[..], b"\n", &bytes].concat());
    }
    std::fs::remove_file(path).unwrap();
}

#[cfg(feature = "csv")]
#[test]
fn a_changed_file_of_texts_is_an_error_or_is_read() {
    let _turn = alone();
    let mut dice = Dice(6);
    let texts: [(&[u8], u8); 3] = [
        ("label,text\na,Hello, world\nb,\"na\u{ef}ve, \u{1f600}\"\n?,c\n".as_bytes(), b','),
        (b"text|label\nthe \"red\" hat|a\nshoes|b\n", b'|'),
        (b"label,text\na,\"two\nlines \"\"quoted\"\"\"\nb,\xff\n,\n", b','),
    ];
    for (bytes, separator) in texts {
        for _ in 0..300 {
            hostile::tables::texts(&changed(bytes, &mut dice), separator);
            hostile::tables::texts(&gzip(&changed(bytes, &mut dice)), separator);
        }
        hostile::tables::texts(
            &gzip(&[bytes, &bytes[bytes.len() - 4..].repeat(1 << 18)].concat()),
            separator,
        );
    }
}

/// A PNG of one pixel with a colour profile of so many zeros, which are packed into a thousandth.
#[cfg(feature = "images")]
fn a_packed_profile(zeros: usize) -> Vec<u8> {
    use std::io::Write;
    let mut profile = flate2::write::ZlibEncoder::new(b"a\0\0".to_vec(), flate2::Compression::default());
    profile.write_all(&vec![0; zeros]).unwrap();
    let body = [&b"iCCP"[..], &profile.finish().unwrap()].concat();
    let chunk = [
        &u32::try_from(body.len() - 4).unwrap().to_be_bytes()[..],
        &body,
        &crc32fast::hash(&body).to_be_bytes(),
    ];
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::GrayImage::new(1, 1).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    let mut bytes = bytes.into_inner();
    // Behind the signature and the head.
    bytes.splice(33..33, chunk.concat());
    bytes
}

#[cfg(feature = "images")]
#[test]
fn a_changed_image_is_an_error_or_pixels_and_a_folder_of_any_names_is_read() {
    let _turn = alone();
    let (mut dice, folder) = (Dice(7), temporary("images"));
    let formats = [image::ImageFormat::Png, image::ImageFormat::Jpeg];
    for format in formats {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let pixels = image::RgbImage::from_fn(9, 7, |x, y| image::Rgb([x as u8 * 20, y as u8 * 30, 99]));
        pixels.write_to(&mut bytes, format).unwrap();
        for _ in 0..200 {
            hostile::images::image(&changed(bytes.get_ref(), &mut dice), &folder);
        }
    }
    let packed = a_packed_profile(100 << 20);
    let (decoded, most) = peak(|| plywood::data::Pixels::decode(&packed));
    assert!(most < 40 << 20, "{most} bytes for a file of {}: {decoded:?}", packed.len());
    for _ in 0..400 {
        let names =
            b"2b/c.png\n1b/d.txt\n2e/f/g.jpg\n0h\n2a/.hidden\n2 a/b.png\n2i.png\n2a/\xff.png\n0a/j.png";
        hostile::images::tree(&changed(names, &mut dice), &folder);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Returns a reader of zeros that is effectively endless.
fn zeros(bytes: u64) -> impl Read {
    std::io::repeat(0).take(bytes)
}

/// Claimed but missing data take no memory, from bytes and from a reader of unknown length.
#[test]
fn claims_take_no_memory() {
    let _turn = alone();
    let model = Sequential::builder([2]).layer(Dense::units(1)).build().unwrap().to_bytes().unwrap();
    let registry = Registry::<f32>::builtin();
    // The length of the first array in the description, 2, comes after the version, two empty lists and the number of
    // arrays.
    let at = 40 + 1 + env!("CARGO_PKG_VERSION").len() + 2 + 1;
    assert_eq!(model[at..at + 2], [2, 4]);
    let mut claims = model.clone();
    claims.splice(at..at + 1, [&[253], &(1u64 << 40).to_le_bytes()[..]].concat());
    claims[16..24].copy_from_slice(&(u64::from(model[16]) + 8).to_le_bytes());
    claims[24..32].copy_from_slice(&((1u64 << 42) + 4).to_le_bytes());
    mend(&mut claims);
    let (error, most) = peak(|| Sequential::from_bytes(&claims, &registry).unwrap_err().to_string());
    assert!(error.contains("is truncated") && most < 1 << 20, "{most} bytes: {error}");
    let (error, most) = peak(|| Sequential::read_from(&claims[..], &registry).unwrap_err().to_string());
    assert!(error.contains("is truncated") && most < 1 << 21, "{most} bytes: {error}");

    let claims = idx_file(0x0E, &[1 << 27], &[0; 16]);
    let (error, most) = peak(|| idx::read_from(&claims[..], "a test").unwrap_err().to_string());
    assert!(error.contains("is truncated") && most < 1 << 20, "{most} bytes: {error}");
    for length in [1 << 20, 1 << 24, u64::MAX] {
        let claims = [&length.to_le_bytes()[..], b"{\"a\":"].concat();
        let (error, most) = peak(|| StateDict::from_bytes(&claims).unwrap_err().to_string());
        assert!(most < 1 << 20, "{most} bytes: {error}");
    }
}

/// The header of a state dict's file is checked before the file is read: anything else, even an endless file, takes no
/// memory.
#[test]
fn no_more_of_a_state_dict_is_read_than_its_header_says() {
    let _turn = alone();
    let path = temporary("sparse");
    let file = |begin: &[u8], length: u64| {
        std::fs::write(&path, begin).unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
    };
    let loaded = || peak(|| StateDict::load(&path).unwrap_err().to_string());
    let header = br#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
    let whole = [&(header.len() as u64).to_le_bytes()[..], header].concat();
    let length = |bytes: u64| bytes.to_le_bytes().to_vec();
    for (begin, size, expected) in [
        (vec![], 1 << 30, "the header must be a list of arrays in JSON, got an error: EOF"),
        (length(u64::MAX), 1 << 30, "the header must have at most 16777216 bytes"),
        (length(1 << 24), 1 << 20, "the file must have at least 16777224 bytes, got 1048576. "),
        (whole.clone(), 1 << 30, "the arrays must have 1073741763 bytes together, got 4. "),
        (whole.clone(), 64, "the file must have at least 65 bytes, got 64. The file is truncated"),
        (vec![], 7, "the file must have at least 8 bytes, got 7. The file is truncated"),
    ] {
        file(&begin, size);
        let (error, most) = loaded();
        assert!(error.contains(expected) && most < 1 << 20, "{most} bytes: {error}");
    }
    std::fs::remove_file(&path).unwrap();

    if cfg!(unix) {
        let mut model = Sequential::builder([2]).layer(Dense::units(1)).build().unwrap();
        let (error, most) = peak(|| model.load_weights("/dev/zero").unwrap_err().to_string());
        assert!(
            error.starts_with("load /dev/zero: the header must ") && most < 1 << 20,
            "{most} bytes: {error}"
        );
    }
}

/// A few kilobytes of gzip can unpack to megabytes. No more is kept than the header declares, which is limited.
#[test]
fn a_gzip_bomb_takes_no_more_memory_than_its_header_says() {
    let _turn = alone();
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    bomb.write_all(&idx_file(0x08, &[100], &[])).unwrap();
    std::io::copy(&mut zeros(300 << 20), &mut bomb).unwrap();
    let bomb = bomb.finish().unwrap();
    let (error, most) = peak(|| idx::read_from(&bomb[..], "a bomb").unwrap_err().to_string());
    assert!(error.contains("more bytes than that") && most < 1 << 20, "{most} bytes: {error}");

    let mut large = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    large.write_all(&idx_file(0x0E, &[u32::MAX], &[])).unwrap();
    std::io::copy(&mut zeros(1 << 20), &mut large).unwrap();
    let large = large.finish().unwrap();
    let (error, most) = peak(|| idx::read_from(&large[..], "a bomb").unwrap_err().to_string());
    assert!(error.contains("have at most 1073741824 bytes") && most < 1 << 20, "{most} bytes: {error}");
}

/// A row of four bytes needs as much memory beside its text as a long one, so line ends count towards the unpacking
/// limit.
#[cfg(feature = "csv")]
#[test]
fn rows_of_compressed_texts_take_no_more_memory_than_is_set() {
    let _turn = alone();
    const ROWS: usize = 2_000_000;
    let most = 1 << 24;
    let plain = [b"label,text\n", &b"a,b\n".repeat(ROWS)[..]].concat();
    let packed = gzip(&plain);
    assert!(packed.len() < 20_000 && plain.len() < most);
    let csv = plywood::data::TextCsv::columns("label", "text").most_unpacked(most as u64);
    let (read, peak_of_packed) = peak(|| csv.read_from(&packed[..], "rows.gz").map(|rows| rows.texts.len()));
    let error = read.unwrap_err().to_string();
    assert!(error.contains("it unpacks to more than 16777216 bytes"), "{error}");
    assert!(peak_of_packed < most + (1 << 20), "{peak_of_packed} bytes");
    // No separate text is kept for each label.
    let (read, peak_of_plain) = peak(|| csv.read_from(&plain[..], "rows.csv").unwrap().texts);
    assert_eq!((read.len(), read.class_names().len()), (ROWS, 1));
    println!("{peak_of_packed} bytes until the bound of {most}, {peak_of_plain} for {ROWS} plain rows");
    assert!(peak_of_plain < 40 * ROWS, "{peak_of_plain} bytes");
}

/// A name, a shape or a layer takes more memory than its bytes in the file, so their number is limited.
#[test]
fn many_small_things_stay_within_the_bound() {
    let _turn = alone();
    let entry = |i: usize, axes: &str| {
        format!("\"{i:x}\":{{\"dtype\":\"U8\",\"shape\":[{axes}0],\"data_offsets\":[0,0]}},")
    };
    let axes = |n: usize| "0,".repeat(n - 1);
    let many = |begin: &str, entry: &dyn Fn(usize) -> String, end: &str| {
        let (mut header, mut i) = (begin.to_owned(), 0);
        while header.len() + 300 < 1 << 24 {
            header += &entry(i);
            i += 1;
        }
        header.pop();
        header + end
    };
    // A text with an escape is assembled in a buffer, which the last letter doubles here.
    let long = |begin: &str, end: &str| [begin, &"x".repeat((1 << 24) - 100), "\\n", end].concat();
    let one = "\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]";
    let headers = [
        ("arrays", many("{", &|i| entry(i, ""), "}")),
        ("of 5 axes", many("{", &|i| entry(i, &axes(5)), "}")),
        ("of 17 axes", many("{", &|i| entry(i, &axes(17)), "}")),
        ("of 32 axes", many("{", &|i| entry(i, &axes(32)), "}")),
        ("of 33 axes", many("{", &|i| entry(i, &axes(33)), "}")),
        ("axes", many("{\"a\":{\"shape\":[", &|_| "0,".into(), "]}}")),
        ("notes", many("{\"__metadata__\":{", &|i| format!("\"{i:x}\":\"\","), "}}")),
        ("what nobody asked for", many("{\"a\":{\"b\":[", &|_| "[[[]]],".into(), &format!("],{one}}}}}"))),
        ("lists in lists", ["{\"a\":{\"b\":", &"[".repeat((1 << 24) - 100)].concat()),
        ("an object as an array", many("{\"a\":{", &|_| "\"\":0,".into(), "}}")),
        ("escapes", many("{\"", &|_| "\\n".into(), &format!("n\":{{{one}}}}}"))),
        ("a long name", long("{\"", &format!("\":{{{one}}}}}"))),
        ("a long name twice", {
            let name = &long("", "")[..7 << 20];
            format!("{{\"{name}\":{{{one}}},\"{name}\":{{{one}}}}}")
        }),
        ("a long name of a wrong shape", long("{\"", &format!("\":{{{}}}}}", one.replace("[0]", "[1]")))),
        ("a long note", long("{\"__metadata__\":{\"a\":\"", "\"}}")),
        ("a long type", long("{\"a\":{\"dtype\":\"", "\"}}")),
        ("a long text as a shape", long("{\"a\":{\"shape\":\"", "\"}}")),
        ("a long text as a header", long("\"", "\"")),
    ];
    let path = temporary("headers");
    for (what, header) in headers {
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
        drop(header);
        std::fs::write(&path, &bytes).unwrap();
        let length = bytes.len();
        drop(bytes);
        let (found, most) = peak(|| match StateDict::load(&path) {
            Ok(dict) => format!("{} arrays", dict.names().count()),
            Err(error) => error.to_string(),
        });
        println!("{what}: {most} bytes for {length}, {found}");
        assert!(most <= bound(length) && found.len() < 1000, "{what}: {most} bytes for {length}, {found}");
    }
    std::fs::remove_file(path).unwrap();

    let classes = Metadata::new().classes((0..65_536).map(|_| "")).note("a", "b");
    let builder = (0..16_000).fold(Sequential::builder([1]), |builder, _| builder.layer(Dropout::rate(0.5)));
    let mut bytes = Vec::new();
    builder.build().unwrap().write_to(&mut bytes, &classes).unwrap();
    let (loaded, most) = peak(|| Sequential::from_bytes(&bytes, &Registry::<f32>::builtin()).unwrap());
    assert!(
        most <= bound(bytes.len()),
        "{most} bytes for {} layers, {} in the file",
        loaded.len(),
        bytes.len()
    );
}

/// Valid files of 128 MB are in memory once, with little overhead; from a reader of unknown length, up to twice.
#[test]
fn a_large_file_is_in_memory_once() {
    let _turn = alone();
    const BYTES: usize = 1 << 27;
    let little = |most: usize, what: &str| assert!(most <= BYTES + (8 << 20), "{what}: {most} bytes");
    let some = |most: usize, what: &str| assert!(most <= bound(BYTES) - (56 << 20), "{what}: {most} bytes");
    let mut model = Sequential::builder([4096]).layer(Dense::units(8192).bias(false)).build().unwrap();
    let registry = Registry::<f32>::builtin();
    let path = temporary("large");
    let ((), most) = peak(|| model.save(&path).unwrap());
    assert!(most < 8 << 20, "saving: {most} bytes");
    little(peak(|| drop(Sequential::load(&path).unwrap())).1, "loading");
    let bytes = std::fs::read(&path).unwrap();
    little(peak(|| drop(Sequential::from_bytes(&bytes, &registry).unwrap())).1, "from bytes");
    some(peak(|| drop(Sequential::read_from(&bytes[..], &registry).unwrap())).1, "from a reader");
    // The same for a file that ends too early.
    let cut = &bytes[..bytes.len() - 9];
    some(peak(|| drop(Sequential::read_from(cut, &registry).unwrap_err())).1, "from a reader that ends");
    drop(bytes);

    model.save_weights(&path).unwrap();
    little(peak(|| model.load_weights(&path).unwrap()).1, "weights");
    drop(model);

    let elements = vec![1; BYTES];
    std::fs::write(&path, idx_file(0x0E, &[1 << 24], &elements)).unwrap();
    drop(elements);
    some(peak(|| drop(idx::read(&path).unwrap())).1, "IDX");
    let labels = vec![0; 1 << 24];
    let open = || IdxStream::open(&path, labels).unwrap();
    let (stream, most) = peak(open);
    assert!(most < 1 << 20, "opening a stream: {most} bytes");
    drop(stream);
    std::fs::remove_file(&path).unwrap();
}
