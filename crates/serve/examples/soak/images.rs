//! Images of grey pixels as PNG files.

use image::{GrayImage, ImageFormat};
use std::io::Cursor;

/// A PNG of these pixels, row by row.
pub fn png(height: u32, width: u32, pixels: &[u8]) -> Vec<u8> {
    let image = GrayImage::from_raw(width, height, pixels.to_vec()).expect("a pixel for each place");
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, ImageFormat::Png).expect("memory can be written to");
    file.into_inner()
}

/// The same with another size in its head.
pub fn lying_png(height: u32, width: u32) -> Vec<u8> {
    let mut file = png(4, 4, &[0; 16]);
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let mut sum = flate2::Crc::new();
    sum.update(&file[12..29]);
    file[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    file
}
