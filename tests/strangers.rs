//! Files from strangers: whatever the bytes, an error or something that works, and memory that the file's size bounds.
//!
//! The fuzzer (fuzz/) calls the same checks with bytes of its own. What it found has a test here.
#![expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]
#![cfg(feature = "datasets")]

mod hostile;

use hostile::kinds::every_kind;
use hostile::meter::peak;
use hostile::{Meter, bound, mend};
use plywood::prelude::*;
use plywood::{Checkpoints, IdxStream, StateDict, idx};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Mutex;

#[global_allocator]
static METER: Meter = Meter;

/// The meter counts the whole process, so one test at a time.
static TURN: Mutex<()> = Mutex::new(());

fn alone() -> impl Drop {
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Bytes drawn from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % most as u64) as usize
    }

    /// A few bytes changed, added, taken away or copied from elsewhere.
    fn changed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len().max(1));
            match self.below(6) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes.insert(at.min(bytes.len()), self.below(256) as u8),
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                3 => {
                    let from = self.below(bytes.len().max(1));
                    let some: Vec<u8> = bytes.iter().skip(from).take(1 + self.below(8)).copied().collect();
                    bytes.iter_mut().skip(at).zip(some).for_each(|(to, from)| *to = from);
                }
                4 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = [0, 1, 250, 253, 255][at % 5]),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
            }
        }
        bytes
    }
}

#[test]
fn a_changed_model_is_an_error_or_works_when_its_sums_are_mended() {
    let _turn = alone();
    let mut dice = Dice(1);
    for (kind, shape, block) in every_kind::<f32>() {
        let model = Sequential::builder(shape).layer(block).build().unwrap_or_else(|e| panic!("{kind}: {e}"));
        let bytes = model.to_bytes().unwrap();
        for _ in 0..150 {
            let mut changed = dice.changed(&bytes);
            mend(&mut changed);
            hostile::model(&changed);
        }
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
        for _ in 0..300 {
            let mut changed = dice.changed(&bytes);
            mend(&mut changed);
            hostile::checkpoint(&changed, &file);
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
        hostile::safetensors(&dice.changed(&bytes));
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
            hostile::idx(&dice.changed(&bytes));
            hostile::idx(&dice.changed(&packed));
            hostile::idx(&gzip(&dice.changed(&bytes)));
            hostile::idx_stream(&dice.changed(&bytes), &path);
        }
    }
    std::fs::remove_file(path).unwrap();
}

/// A reader that has no end, as far as anyone asks.
fn zeros(bytes: u64) -> impl Read {
    std::io::repeat(0).take(bytes)
}

/// What is claimed and not there takes no memory, from bytes and from a reader whose length nobody knows.
#[test]
fn claims_take_no_memory() {
    let _turn = alone();
    let model = Sequential::builder([2]).layer(Dense::units(1)).build().unwrap().to_bytes().unwrap();
    let registry = Registry::<f32>::builtin();
    // The description's first array, of 2 numbers: the version, two empty lists, two arrays.
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

/// A few kilobytes of gzip are megabytes: no more is kept than the header says, and that has a limit.
#[test]
fn a_gzip_bomb_takes_no_more_memory_than_its_header_says() {
    let _turn = alone();
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    bomb.write_all(&idx_file(0x08, &[100], &[])).unwrap();
    std::io::copy(&mut zeros(300 << 20), &mut bomb).unwrap();
    let bomb = bomb.finish().unwrap();
    let (error, most) = peak(|| idx::read_from(&bomb[..], "a bomb").unwrap_err().to_string());
    assert!(error.contains("more bytes after them") && most < 1 << 20, "{most} bytes: {error}");

    let mut large = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    large.write_all(&idx_file(0x0E, &[u32::MAX], &[])).unwrap();
    std::io::copy(&mut zeros(1 << 20), &mut large).unwrap();
    let large = large.finish().unwrap();
    let (error, most) = peak(|| idx::read_from(&large[..], "a bomb").unwrap_err().to_string());
    assert!(error.contains("of at most 1073741824 bytes") && most < 1 << 20, "{most} bytes: {error}");
}

/// A name, a shape or a layer takes more memory than bytes; how many there may be is bounded.
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
    // A text behind an escape is put together in a buffer, which the last letter doubles here.
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

/// Valid files of 128 MB: once in memory, and little besides. From a reader without a length, up to twice.
#[test]
fn a_large_file_is_in_memory_once() {
    let _turn = alone();
    const BYTES: usize = 1 << 27;
    let little = |most: usize, what: &str| assert!(most <= BYTES + (8 << 20), "{what}: {most} bytes");
    let some = |most: usize, what: &str| assert!(most <= bound(BYTES) - (56 << 20), "{what}: {most} bytes");
    let mut model = Sequential::builder([4096]).layer(Dense::units(8192).without_bias()).build().unwrap();
    let registry = Registry::<f32>::builtin();
    let path = temporary("large");
    let ((), most) = peak(|| model.save(&path).unwrap());
    assert!(most < 8 << 20, "saving: {most} bytes");
    little(peak(|| drop(Sequential::load(&path).unwrap())).1, "loading");
    let bytes = std::fs::read(&path).unwrap();
    little(peak(|| drop(Sequential::from_bytes(&bytes, &registry).unwrap())).1, "from bytes");
    some(peak(|| drop(Sequential::read_from(&bytes[..], &registry).unwrap())).1, "from a reader");
    // What ends too early, too.
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
