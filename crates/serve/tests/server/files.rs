//! Bodies of requests: images, forms, packed bytes.

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use std::io::{Cursor, Write};

/// A grey image, the same for the same size.
pub fn grey(height: u32, width: u32, format: ImageFormat) -> Vec<u8> {
    encoded(GrayImage::from_fn(width, height, |x, y| image::Luma([(x * 7 + y * 13) as u8])).into(), format)
}

/// An image in colours, the same for the same size.
pub fn colours(height: u32, width: u32, format: ImageFormat) -> Vec<u8> {
    let pixel = |x, y| image::Rgb([(x * 9) as u8, (y * 5) as u8, (x * y) as u8]);
    encoded(RgbImage::from_fn(width, height, pixel).into(), format)
}

fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A PNG whose head claims this size, with the data of a small image.
pub fn lying_png(height: u32, width: u32) -> Vec<u8> {
    let mut bytes = grey(4, 4, ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let mut sum = flate2::Crc::new();
    sum.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    bytes
}

/// A form: its Content-Type and its body. Each part has what stands behind `form-data; `, and its bytes.
pub fn form(parts: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let line = "----a-line-between-parts";
    let mut body = Vec::new();
    for (disposition, bytes) in parts {
        body.extend(
            format!("--{line}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").into_bytes(),
        );
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{line}--\r\n").into_bytes());
    (format!("multipart/form-data; boundary={line}"), body)
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// `deflate` of HTTP: zlib's form.
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}
