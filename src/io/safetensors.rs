//! The format safetensors: named arrays in one file.
//!
//! Specified by Hugging Face (<https://github.com/huggingface/safetensors>) and written by PyTorch users and most model
//! hubs. It is eight bytes for a length, a header in JSON, and raw numbers, lowest byte first:
//!
//! ```text
//! n as u64   {"0.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}, …}   24 bytes of 0.weight …
//!            └───────────────────────── n bytes ─────────────────────────────┘
//! ```
//!
//! Nothing in it can be executed. It is read here without a crate for JSON, as the header's form is fixed: names,
//! whole numbers, and lists of them. As the format demands, arrays lie one behind the other without gaps and fill the
//! file; names come once; and an array has as many bytes as its shape says. The header's bytes are lent, so that what
//! is claimed takes no more memory than what is there, times a small number.

use crate::codec::MAX_AXES;
use crate::error::{Error, Result};
use crate::shown::cut;
use std::ops::Range;

/// The most bytes of a header: 16 MiB, for some hundred thousand arrays. (Hugging Face's own reader takes 100 MB.)
const MAX_HEADER: u64 = 1 << 24;

/// One array of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub name: String,
    /// As the format writes it: "F32", "BF16".
    pub dtype: String,
    pub shape: Vec<usize>,
    /// Where its bytes are in the data behind the header.
    pub bytes: Range<usize>,
}

/// The arrays of a file in the order of their names, and the data behind the header.
pub(super) fn parse(file: &[u8]) -> Result<(Vec<Entry>, &[u8])> {
    let truncated = |expected: u64| {
        Error::format("the file", format!("at least {expected} bytes"), file.len())
            .help("The file is truncated; get it again.")
    };
    let (length, rest) = file.split_first_chunk::<8>().ok_or_else(|| truncated(8))?;
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER {
        return Err(Error::format("the header", format!("of at most {MAX_HEADER} bytes"), length)
            .help("This is not a safetensors file, or it is damaged."));
    }
    let Some((header, data)) = rest.split_at_checked(length as usize) else {
        return Err(truncated(length + 8));
    };
    let mut json = Json { text: header, at: 0 };
    let mut entries = json.header().ok_or_else(|| {
        let found = String::from_utf8_lossy(&header[json.at.min(header.len())..]);
        let found = format!("{:?} at byte {}", found.chars().take(20).collect::<String>(), json.at + 8);
        Error::format("the header", "a list of arrays in JSON", found)
            .help("This is not a safetensors file, or it is damaged.")
    })?;
    let unfit = |entry: &Entry| {
        let expected = "a name of its own and bytes as its shape says, behind those of the one before";
        let found = format!("{} {:?} at {:?}", cut(&entry.dtype), entry.shape, entry.bytes);
        Error::format(format!("the array {:?}", cut(&entry.name)), expected, found)
            .help("The file is damaged; get it again.")
    };
    // Sorting in place takes no memory, which a set of all names would.
    entries.sort_unstable_by_key(|entry| (entry.bytes.start, entry.bytes.end));
    let mut end = 0;
    for entry in &entries {
        let bits = bits(&entry.dtype);
        let count = entry.shape.iter().try_fold(1usize, |count, &n| count.checked_mul(n));
        let bytes = count.and_then(|count| count.checked_mul(bits?)).map(|bits| bits.div_ceil(8));
        let fits = entry.bytes.start == end && entry.bytes.end >= end;
        if !fits || bits.is_some() && bytes != Some(entry.bytes.len()) {
            return Err(unfit(entry));
        }
        end = entry.bytes.end;
    }
    if end > data.len() {
        return Err(truncated((8 + header.len() as u64).saturating_add(end as u64)));
    }
    if end < data.len() {
        return Err(Error::format("the arrays", format!("of {} bytes together", data.len()), end)
            .help("The file is damaged; get it again."));
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    match entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(unfit(&pair[1])),
        None => Ok((entries, data)),
    }
}

/// The bits of an element; none for a type that this program does not know, whose size is then not checked.
fn bits(dtype: &str) -> Option<usize> {
    Some(match dtype {
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" => 8,
        "U16" | "I16" | "F16" | "BF16" => 16,
        "U32" | "I32" | "F32" => 32,
        "U64" | "I64" | "F64" | "C64" => 64,
        _ => return None,
    })
}

/// The header of a file with these arrays, and the length in front.
pub(super) fn header(entries: &[Entry]) -> Vec<u8> {
    let mut json = String::from("{\"__metadata__\":{\"format\":\"pt\"}");
    for Entry { name, dtype, shape, bytes } in entries {
        let mut quoted = String::new();
        for c in name.chars() {
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                c if c < ' ' => quoted += &format!("\\u{:04x}", u32::from(c)),
                c => quoted.push(c),
            }
        }
        let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let (start, end) = (bytes.start, bytes.end);
        json += &format!(
            ",\"{quoted}\":{{\"dtype\":\"{dtype}\",\"shape\":[{shape}],\"data_offsets\":[{start},{end}]}}"
        );
    }
    json.push('}');
    // Blanks up to a multiple of 8, so that numbers are aligned where the file is mapped into memory.
    json.extend(std::iter::repeat_n(' ', json.len().next_multiple_of(8) - json.len()));
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json.into_bytes());
    bytes
}

/// A reader of the JSON that headers are. Each method gives `None` at the first byte that does not fit.
struct Json<'a> {
    text: &'a [u8],
    at: usize,
}

impl Json<'_> {
    fn header(&mut self) -> Option<Vec<Entry>> {
        let mut entries = Vec::new();
        self.object(|json, name| {
            if name == "__metadata__" {
                return json.object(|json, _| json.string().map(drop));
            }
            let (mut dtype, mut shape, mut offsets) = (None, None, None);
            json.object(|json, key| {
                match key.as_str() {
                    "dtype" => dtype = Some(json.string()?),
                    "shape" => shape = Some(json.numbers(MAX_AXES)?),
                    "data_offsets" => offsets = Some(json.numbers(2)?),
                    _ => return None,
                }
                Some(())
            })?;
            let &[start, end] = &offsets?[..] else { return None };
            entries.push(Entry { name, dtype: dtype?, shape: shape?, bytes: start..end });
            Some(())
        })?;
        self.blanks();
        (self.at == self.text.len()).then_some(entries)
    }

    fn blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The byte, after blanks.
    fn is(&mut self, byte: u8) -> bool {
        self.blanks();
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn object(&mut self, mut entry: impl FnMut(&mut Self, String) -> Option<()>) -> Option<()> {
        if !self.is(b'{') {
            return None;
        }
        if self.is(b'}') {
            return Some(());
        }
        loop {
            let key = self.string()?;
            if !self.is(b':') {
                return None;
            }
            entry(self, key)?;
            if self.is(b'}') {
                return Some(());
            }
            if !self.is(b',') {
                return None;
            }
        }
    }

    /// A list of at most so many whole numbers.
    fn numbers(&mut self, most: usize) -> Option<Vec<usize>> {
        let mut numbers = Vec::new();
        if !self.is(b'[') {
            return None;
        }
        if self.is(b']') {
            return Some(numbers);
        }
        loop {
            self.blanks();
            let digits = self.text[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
            let number = std::str::from_utf8(&self.text[self.at..self.at + digits]).ok()?.parse().ok()?;
            if numbers.len() == most {
                return None;
            }
            numbers.push(number);
            self.at += digits;
            if self.is(b']') {
                return Some(numbers);
            }
            if !self.is(b',') {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        if !self.is(b'"') {
            return None;
        }
        let mut bytes = Vec::new();
        loop {
            let byte = *self.text.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(bytes).ok(),
                b'\\' => {
                    let escape = *self.text.get(self.at)?;
                    self.at += 1;
                    let c = match escape {
                        b'"' | b'\\' | b'/' => char::from(escape),
                        b'n' => '\n',
                        b't' => '\t',
                        b'r' => '\r',
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'u' => self.unicode()?,
                        _ => return None,
                    };
                    bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..0x20 => return None,
                _ => bytes.push(byte),
            }
        }
    }

    /// Four hexadecimal digits behind `\u`; two times four for a character beyond 16 bits.
    fn unicode(&mut self) -> Option<char> {
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first.into());
        }
        if self.text.get(self.at..self.at + 2)? != b"\\u" {
            return None;
        }
        self.at += 2;
        char::decode_utf16([first, self.unit()?]).next()?.ok()
    }

    fn unit(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 7);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let entry = |name: &str, dtype: &str, shape: &[usize], bytes| Entry {
            name: name.into(),
            dtype: dtype.into(),
            shape: shape.to_vec(),
            bytes,
        };
        let entries = [
            entry("a \"b\" \\ \u{1} é", "F32", &[2, 1], 0..8),
            entry("none", "F64", &[0, 5], 8..8),
            entry("scalar", "BF16", &[], 8..10),
        ];
        let mut bytes = header(&entries);
        assert!(bytes.len().is_multiple_of(8));
        bytes.extend([1; 10]);
        let (read, data) = parse(&bytes).unwrap();
        assert_eq!((&read[..], data.len()), (&entries[..], 10));
        for cut in 0..bytes.len() {
            assert!(parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn json_as_others_write_it() {
        let text = " {\n\"__metadata__\" : {\"a\":\"b\",\"c\":\"\"} , \"\\u00e9\\ud83d\\ude00\\/\\n\": {\"data_offsets\":[0, 4],\
                    \"shape\":[],\"dtype\":\"I32\"}}  ";
        assert_eq!(parse(&file(text, 4)).unwrap().0[0].name, "é😀/\n");
        assert!(parse(&file("{}", 0)).unwrap().0.is_empty());
    }

    #[test]
    fn what_does_not_hold_is_refused() {
        let one = |dtype: &str, shape: &str, offsets: &str| {
            format!("{{\"a\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
        };
        assert!(parse(&file(&one("F32", "[1]", "[0,4]"), 4)).is_ok());
        let many = format!("[{}1]", "1,".repeat(40));
        for (dtype, shape, offsets, data) in [
            ("F32", "[2]", "[0,4]", 4),
            ("F32", "[1]", "[4,0]", 4),
            ("F32", "[1]", "[1,5]", 5),
            ("F32", "[1]", "[0,4]", 5),
            ("F32", "[1]", "[0,4]", 3),
            ("F32", "[18446744073709551615,2]", "[0,4]", 4),
            ("F32", "[18446744073709551616]", "[0,4]", 4),
            ("F32", "[-1]", "[0,4]", 4),
            ("F32", "[1.0]", "[0,4]", 4),
            ("F32", &many, "[0,4]", 4),
            ("F32", "[1]", "[0,2,4]", 4),
            ("F32", "[1]", "[0,18446744073709551615]", 4),
        ] {
            assert!(parse(&file(&one(dtype, shape, offsets), data)).is_err(), "{dtype} {shape} {offsets}");
        }
        let twice = "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\
                      \"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}";
        for text in
            [twice, "", "{", "[]", "{\"a\":1}", "{\"a\":{}}", "{} x", "{\"\\ud800\":{}}", "{\"\\u+123\":{}}"]
        {
            assert!(parse(&file(text, 0)).is_err(), "{text}");
        }
        assert!(parse(&[255; 40]).unwrap_err().to_string().contains("at most 16777216 bytes"));
    }
}
