//! Files as NumPy 2.4 writes them, and damaged ones.

use super::*;
use ndarray::{ArrayD, array};

fn file(header: &str, version: u8, numbers: &[u8]) -> Vec<u8> {
    let length = (header.len() as u32).to_le_bytes();
    let length = if version == 1 { &length[..2] } else { &length[..] };
    [b"\x93NUMPY", &[version, 0][..], length, header.as_bytes(), numbers].concat()
}

fn read_f32(bytes: &[u8]) -> Result<ArrayD<f32>> {
    read_from(bytes)
}

#[test]
fn all_types_and_both_orders_are_read() {
    let header = |descr: &str, fortran: &str| {
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': (2, 3), }}   \n")
    };
    let expected = array![[0.0f32, 1.0, 2.0], [3.0, 4.0, 5.0]].into_dyn();
    let numbers = |each: &dyn Fn(u8) -> Vec<u8>| (0..6).flat_map(each).collect::<Vec<u8>>();
    let all: [(&str, Vec<u8>); 10] = [
        ("<f4", numbers(&|i| f32::from(i).to_le_bytes().to_vec())),
        ("<f8", numbers(&|i| f64::from(i).to_le_bytes().to_vec())),
        ("|i1", numbers(&|i| vec![i])),
        ("|u1", numbers(&|i| vec![i])),
        ("<i2", numbers(&|i| i16::from(i).to_le_bytes().to_vec())),
        ("<u2", numbers(&|i| u16::from(i).to_le_bytes().to_vec())),
        ("<i4", numbers(&|i| i32::from(i).to_le_bytes().to_vec())),
        ("<u4", numbers(&|i| u32::from(i).to_le_bytes().to_vec())),
        ("<i8", numbers(&|i| i64::from(i).to_le_bytes().to_vec())),
        ("<u8", numbers(&|i| u64::from(i).to_le_bytes().to_vec())),
    ];
    for (descr, bytes) in all {
        for version in 1..=3 {
            let array = read_f32(&file(&header(descr, "False"), version, &bytes)).unwrap();
            assert_eq!(array, expected, "{descr}");
            assert!(array.is_standard_layout());
        }
    }
    let fortran = read_f32(&file(&header("|u1", "True"), 1, &[0, 3, 1, 4, 2, 5])).unwrap();
    assert_eq!(fortran, expected);
    assert!(fortran.is_standard_layout());
    let one = |shape: &str, bytes: &[u8]| {
        read_f32(&file(&format!("{{'shape': {shape}, 'descr': \"|b1\", 'fortran_order': False}}"), 1, bytes))
    };
    assert_eq!(one("()", &[7]).unwrap(), array![1.0f32].into_shape_with_order(()).unwrap().into_dyn());
    assert_eq!(one("(2,)", &[0, 1]).unwrap(), array![0.0f32, 1.0].into_dyn());
    assert_eq!(one("(0, 5)", &[]).unwrap().shape(), [0, 5]);
    assert!(one(&format!("(0, {})", u64::MAX), &[]).is_err());
}

#[test]
fn written_arrays_return() {
    for array in [array![[1.5f64, -2.0], [f64::NAN, 1e300]].into_dyn(), ArrayD::zeros(IxDyn(&[3, 0]))] {
        let bytes = bytes(&array);
        assert!((bytes.len() - 8 * array.len()).is_multiple_of(64));
        let back: ArrayD<f64> = read_from(&bytes[..]).unwrap();
        assert_eq!(back.shape(), array.shape());
        assert!(back.iter().zip(&array).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}

#[test]
fn hostile_headers_are_errors_without_memory() {
    let text = |bytes: &[u8]| read_f32(bytes).unwrap_err().to_string();
    let claims = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }\n";
    let found = text(&file(claims, 1, &[0; 24]));
    assert!(
        found.contains("have 8000000000000 bytes of numbers, as its shape [1000000, 1000000] says, got 24"),
        "{found}"
    );
    assert!(
        text(&file(&claims.replace("1000000", &u64::MAX.to_string()), 1, &[])).contains("the shape must")
    );
    assert!(text(&file(&claims.replace("<f8", ">f8"), 1, &[])).contains("little-endian"));
    assert!(text(&file(&claims.replace("<f8", "|O"), 1, &[])).contains("little-endian"));
    assert!(text(&file(&claims.replace("<f8", "<f999"), 1, &[])).contains("little-endian"));
    assert!(text(&file("{'descr': [('a', '<f4')], 'shape': (1,)}", 1, &[])).contains("plain numbers"));
    assert!(text(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").contains("at most 65536"));
    assert!(text(b"PK").contains("whole header"));
    assert!(text(b"PK\x03\x04....").contains("begin as NumPy's"));
    let sound = file("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2), }", 1, &[1, 2, 3, 4]);
    assert!(text(&[&sound[..], &[0]].concat()).contains("got more"));
    for at in 0..sound.len() {
        assert!(read_f32(&sound[..at]).is_err());
        for change in 1..=255 {
            let mut bytes = sound.clone();
            bytes[at] ^= change;
            let _ = read_f32(&bytes);
        }
    }
}

#[test]
fn arrays_of_npz_are_read_by_name() {
    fn of<F: NpyNumber>(bytes: &[u8], name: &str) -> Result<ArrayD<F>> {
        npz_from(std::io::Cursor::new(bytes), name)
    }
    for whole in [include_bytes!("stored.npz").as_slice(), include_bytes!("deflated.npz")] {
        assert_eq!(zip::names(&mut std::io::Cursor::new(whole)).unwrap(), ["x", "labels"]);
        assert_eq!(of::<f32>(whole, "x").unwrap(), array![[0.0f32, 0.5], [1.0, 1.5], [2.0, 2.5]].into_dyn());
        assert_eq!(of::<f64>(whole, "labels").unwrap(), array![2.0, 0.0, 1.0].into_dyn());
        let found = of::<f32>(whole, "y").unwrap_err().to_string();
        assert!(found.contains("must have an array \"y\", got x, labels. Name one"), "{found}");
        for at in 0..whole.len() {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 0x5a;
            let _ = of::<f32>(&bytes, "x");
            assert!(of::<f32>(&whole[..at], "x").is_err());
        }
    }
}
