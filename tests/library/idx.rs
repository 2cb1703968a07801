//! The IDX format: all types, all truncations, damaged files, and headers that claim too much data.

use plywood::Result;
use plywood::data::idx::{self, IdxArray};
use std::io::Write;

/// Builds a file from the type, the lengths of the axes and the elements.
fn file(kind: u8, lengths: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, lengths.len() as u8];
    bytes.extend(lengths.iter().flat_map(|n| n.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn from(bytes: &[u8]) -> Result<IdxArray> {
    idx::read_from(bytes, "a test")
}

fn text(bytes: &[u8]) -> String {
    from(bytes).unwrap_err().to_string()
}

#[test]
fn every_type_is_read() {
    let u8s = from(&file(0x08, &[2, 2], &[0, 1, 254, 255])).unwrap();
    assert_eq!(u8s, IdxArray::U8(ndarray::array![[0, 1], [254, 255]].into_dyn()));
    let i8s = from(&file(0x09, &[2], &[0x80, 0x7f])).unwrap();
    assert_eq!(i8s, IdxArray::I8(ndarray::array![-128, 127].into_dyn()));
    let i16s = from(&file(0x0B, &[2], &[0xff, 0xfe, 0x01, 0x00])).unwrap();
    assert_eq!(i16s, IdxArray::I16(ndarray::array![-2, 256].into_dyn()));
    let i32s = from(&file(0x0C, &[1], &[0xff, 0xff, 0xff, 0xfd])).unwrap();
    assert_eq!(i32s, IdxArray::I32(ndarray::array![-3].into_dyn()));
    let f32s = from(&file(0x0D, &[1], &[0x3f, 0xc0, 0, 0])).unwrap();
    assert_eq!(f32s, IdxArray::F32(ndarray::array![1.5].into_dyn()));
    let f64s = from(&file(0x0E, &[1, 1], &[0xc0, 0x04, 0, 0, 0, 0, 0, 0])).unwrap();
    assert_eq!(f64s, IdxArray::F64(ndarray::array![[-2.5]].into_dyn()));
    assert_eq!(
        [u8s, i8s, i16s, i32s, f32s, f64s].map(|a| a.element()),
        ["u8", "i8", "i16", "i32", "f32", "f64"]
    );
}

#[test]
fn gzip_is_noticed_by_its_first_bytes() {
    let bytes = file(0x0C, &[2, 1], &[0, 0, 0, 1, 0, 0, 0, 2]);
    assert_eq!(from(&gzip(&bytes)).unwrap(), from(&bytes).unwrap());
    assert_eq!(from(&[gzip(&bytes), vec![0; 3]].concat()).unwrap(), from(&bytes).unwrap());
    assert_eq!(
        text(&gzip(&gzip(&bytes))),
        "a test: the file must be compressed once, got gzip data within gzip data: it is compressed twice. Unpack \
         it once (`gunzip`) and give the file that comes out."
    );
}

#[test]
fn a_file_cut_at_any_byte_says_so() {
    let bytes = file(0x0B, &[2, 2], &[1, 2, 3, 4, 5, 6, 7, 8]);
    let packed = gzip(&bytes);
    assert!(from(&bytes).is_ok() && from(&packed).is_ok());
    for cut in 0..bytes.len() {
        assert!(text(&bytes[..cut]).contains("is truncated"), "{cut} bytes: {}", text(&bytes[..cut]));
    }
    for cut in 0..packed.len() {
        let text = text(&packed[..cut]);
        assert!(text.contains("is truncated"), "{cut} bytes of gzip: {text}");
    }
    assert_eq!(
        text(&bytes[..15]),
        "a test: the elements must have 8 bytes for the shape [2, 2], got 3 bytes. The file is truncated; get it again."
    );
}

#[test]
fn every_damaged_byte_of_gzip_is_an_answer_and_a_damaged_sum_an_error() {
    let packed = gzip(&file(0x08, &[8], &[1, 2, 3, 4, 5, 6, 7, 8]));
    for i in 0..packed.len() {
        let mut damaged = packed.clone();
        damaged[i] ^= 0x55;
        let _ = from(&damaged);
    }
    let mut damaged = packed.clone();
    let crc = damaged.len() - 8;
    damaged[crc] ^= 1;
    assert!(text(&damaged).contains("whole gzip data"), "{}", text(&damaged));
    let behind = text(&[&packed[..], b"trailing"].concat());
    assert!(behind.contains("bytes that are not gzip data follow it, from 0x74 on"), "{behind}");
}

#[test]
fn what_is_no_idx_file_is_an_error() {
    assert_eq!(
        text(b"%PDF-1.4"),
        "a test: the first bytes must be two zeros, a type and a number of axes, got [0x25, 0x50, 0x44, 0x46]. \
         Give an IDX file, such as those of MNIST and Fashion-MNIST, compressed by gzip or not."
    );
    assert_eq!(
        text(b"PK\x03\x04 a zip archive"),
        "a test: the file must be plain or compressed by gzip, got zip data. Unpack it (`unzip`) and give the \
         file that comes out."
    );
    assert!(text(&file(0x0A, &[1], &[0])).contains("got 0x0a"));
    assert!(text(&file(0x08, &[], &[0])).contains("must be from 1 to 8, got 0"));
    assert!(text(&file(0x08, &[1; 9], &[0])).contains("must be from 1 to 8, got 9"));
    assert!(
        text(&file(0x08, &[2], &[1, 2, 3]))
            .contains("have 2 bytes for the shape [2], got more bytes than that")
    );
    assert!(from(&file(0x08, &[0, 28, 28], &[])).is_ok());
    assert!(from(&file(0x08, &[0, u32::MAX, u32::MAX, u32::MAX], &[])).is_err());
}

#[test]
fn a_header_that_claims_much_takes_no_memory() {
    // The claimed size is within the limit, but the data are missing: memory is allocated only for what arrives.
    assert!(
        text(&file(0x08, &[1 << 30], &[1, 2]))
            .contains("have 1073741824 bytes for the shape [1073741824], got 2 bytes")
    );
    assert!(text(&file(0x08, &[u32::MAX], &[])).contains("have at most 1073741824 bytes"));
    assert!(text(&file(0x0E, &[u32::MAX; 8], &[])).contains("have at most"));
    // A gzip bomb: a header for three bytes, followed by a million bytes.
    assert!(text(&gzip(&[file(0x08, &[3], &[]), vec![0; 1 << 20]].concat())).contains("more bytes"));
}

#[test]
fn conversions_name_what_they_found() {
    let floats = from(&file(0x0D, &[1], &[0; 4])).unwrap();
    assert!(floats.clone().into_u8().unwrap_err().to_string().contains("must be of type u8, got f32"));
    assert!(floats.into_labels().unwrap_err().to_string().contains("must be whole numbers, got f32"));
    assert_eq!(from(&file(0x0B, &[2], &[0, 9, 1, 0])).unwrap().into_labels().unwrap(), [9, 256]);
    let text = from(&file(0x09, &[2], &[1, 0xff])).unwrap().into_labels().unwrap_err().to_string();
    assert!(text.starts_with("label 1 must be at least 0, got -1"), "{text}");
    assert!(from(&file(0x08, &[1, 1], &[0])).unwrap().into_labels().is_err());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let text = idx::read("/no/such/file-idx3-ubyte").unwrap_err().to_string();
    assert!(text.starts_with("could not open /no/such/file-idx3-ubyte: "), "{text}");
}
