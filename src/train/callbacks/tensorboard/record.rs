//! The record format of TensorBoard's files, which is that of TFRecord.
//!
//! ```text
//! 8 bytes   length of the data, little endian
//! 4 bytes   masked CRC-32C of the length
//! …         the data
//! 4 bytes   masked CRC-32C of the data
//! ```
//!
//! Source: TensorFlow, `tensorflow/core/lib/io/record_writer.h`; the polynomial is that of Castagnoli (RFC 3720, B.4).

/// The checksum of each single byte, for [`crc32c`].
const TABLE: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut sum, mut bit) = (byte as u32, 0);
        while bit < 8 {
            sum = (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg());
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| TABLE[((sum ^ u32::from(byte)) & 255) as usize] ^ (sum >> 8))
}

/// A checksum that can be part of data with a checksum: `rotate(crc, 15 to the right) + 0xa282ead8`.
fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// Appends the data as a record.
pub(super) fn frame(file: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(&length));
    file.extend(data);
    file.extend(masked(data));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3720() {
        let ascending: Vec<u8> = (0..32).collect();
        let sums = [(&[0u8; 32][..], 0x8a91_36aa), (&[0xff; 32], 0x62a8_ab43), (&ascending, 0x46dd_794e)];
        for (bytes, sum) in sums {
            assert_eq!(crc32c(bytes), sum);
        }
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
