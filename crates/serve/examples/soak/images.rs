//! Images of grey pixels as PNG files.

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::Write;

/// A PNG whose head says this size, with these rows of pixels.
pub fn png(height: u32, width: u32, pixels: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for line in pixels.chunks(width as usize) {
        lines.push(0);
        lines.extend_from_slice(line);
    }
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([8, 0, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", head), (b"IDAT", packed(&lines)), (b"IEND", Vec::new())] {
        file.extend((data.len() as u32).to_be_bytes());
        let mut sum = Crc::new();
        sum.update(kind);
        sum.update(&data);
        file.extend_from_slice(kind);
        file.extend(data);
        file.extend(sum.sum().to_be_bytes());
    }
    file
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).and_then(|()| packer.finish()).expect("memory can be written to")
}
