//! Encodes pixels as a PNG file (ISO/IEC 15948), compressed by `flate2`.

use super::mark::Pixels;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::Write;

/// Returns the file: 8 bits of red, green and blue, or of grey if all three are equal everywhere.
///
/// Rows use the filter "up", the difference from the row above, because pixels of drawings often equal those above
/// them. `dpi` is the number of pixels per inch, for programs that print.
pub(super) fn encode(pixels: &Pixels, dpi: Option<f64>) -> Vec<u8> {
    let Pixels { width, height, rgb } = pixels;
    let grey = rgb.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]);
    let bytes: Vec<u8> = if grey { rgb.iter().copied().step_by(3).collect() } else { rgb.clone() };
    let row = width * if grey { 1 } else { 3 };
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::new(6));
    let mut above = vec![0u8; row];
    let mut line = Vec::with_capacity(row + 1);
    for y in 0..*height {
        let this = &bytes[y * row..(y + 1) * row];
        line.clear();
        line.push(2);
        line.extend(this.iter().zip(&above).map(|(a, b)| a.wrapping_sub(*b)));
        zlib.write_all(&line).expect("a vector takes all bytes");
        above.copy_from_slice(this);
    }
    let data = zlib.finish().expect("a vector takes all bytes");

    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut head = Vec::new();
    head.extend((*width as u32).to_be_bytes());
    head.extend((*height as u32).to_be_bytes());
    head.extend([8, if grey { 0 } else { 2 }, 0, 0, 0]);
    chunk(&mut file, b"IHDR", &head);
    if let Some(dpi) = dpi {
        let per_metre = ((dpi / 0.0254).round() as u32).to_be_bytes();
        chunk(&mut file, b"pHYs", &[&per_metre[..], &per_metre[..], &[1]].concat());
    }
    chunk(&mut file, b"IDAT", &data);
    chunk(&mut file, b"IEND", &[]);
    file
}

/// Appends a chunk: length, name, data, and the CRC of name and data.
fn chunk(file: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    let from = file.len();
    file.extend(name);
    file.extend(data);
    let mut sum = Crc::new();
    sum.update(&file[from..]);
    file.extend(sum.sum().to_be_bytes());
}

/// Encodes bytes in base64 (RFC 4648), for `data:` URLs.
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let six = (bits >> (18 - 6 * i)) as usize & 63;
            text.push(if i <= three.len() { ALPHABET[six].into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn rfc_4648() {
        let pairs = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn what_was_written_is_what_is_read() {
        let rgb: Vec<u8> = (0..5 * 4 * 3).map(|i| (i * 37 % 256) as u8).collect();
        let file = encode(&Pixels { width: 5, height: 4, rgb: rgb.clone() }, Some(192.0));
        assert_eq!(&file[..8], b"\x89PNG\r\n\x1a\n");
        let at = file.windows(4).position(|w| w == b"IDAT").unwrap();
        let length = u32::from_be_bytes(file[at - 4..at].try_into().unwrap()) as usize;
        let mut rows: Vec<u8> = Vec::new();
        flate2::read::ZlibDecoder::new(&file[at + 4..at + 4 + length]).read_to_end(&mut rows).unwrap();
        let mut found = vec![0u8; 15];
        let mut all: Vec<u8> = Vec::new();
        for row in rows.chunks(16) {
            assert_eq!(row[0], 2);
            found.iter_mut().zip(&row[1..]).for_each(|(a, b)| *a = a.wrapping_add(*b));
            all.extend(&found);
        }
        assert_eq!(all, rgb);
        // The CRC of an empty IEND is known.
        assert!(file.ends_with(&[b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82]));
    }
}
