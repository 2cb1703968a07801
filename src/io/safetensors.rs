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
//! Nothing in it can be executed. Which types there are, how many bytes an array has, and how a header is written, is
//! the affair of Hugging Face's crate, which this file alone names. The crate reads whole headers, too, but is not made
//! for files from strangers:
//!
//! - It keeps all of the JSON as values before it looks at any, and they take up to 64 times the header's bytes. So
//!   the header's object is read here, entry by entry, and the crate checks one array at a time.
//! - Of two arrays with one name it keeps the last without a word. Here they are an error.
//! - It adds the arrays' end to the header's length, which may overflow. Here the end is compared with what is there.
//!
//! The limits are ours as well: on the header's length and on the axes of a shape.

use super::source::Source;
use crate::codec::{Shape, differ};
use crate::error::{Error, Result};
use crate::shown::cut;
use ::safetensors::tensor::Metadata;
pub(super) use ::safetensors::tensor::{Dtype, TensorInfo};
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::io::Read;

/// The most bytes of a header: 16 MiB, for some hundred thousand arrays. (Hugging Face's own reader takes 100 MB.)
const MAX_HEADER: u64 = 1 << 24;

/// One array of a file: its name, and its type, shape and place in the data behind the header.
pub(super) type Array = (String, TensorInfo);

/// The arrays of a file in the order of their names, and the data behind the header.
pub(super) fn parse(file: &[u8]) -> Result<(Vec<Array>, &[u8])> {
    let all = file.len() as u64;
    let (length, rest) = file.split_first_chunk::<8>().ok_or_else(|| truncated(8, all))?;
    let length = header_length(*length)?;
    let (header, data) = rest.split_at_checked(length).ok_or_else(|| truncated(8 + length as u64, all))?;
    let (arrays, end) = arrays(header)?;
    check_data(length, end, data.len() as u64)?;
    Ok((arrays, data))
}

/// The same from a source, of which no more is read than the header says, and one byte to see the end.
///
/// Each length is compared with what is there, where that is known, before anything is read in vain: a device may have
/// no end.
pub(super) fn read(source: &mut Source<impl Read>) -> Result<(Vec<Array>, Vec<u8>)> {
    let mut length = [0; 8];
    let found = source.take(&mut length)? as u64;
    if found < 8 {
        return Err(truncated(8, found));
    }
    let length = header_length(length)?;
    let wanted = length as u64;
    if let Some(left) = source.left().filter(|&left| left < wanted) {
        return Err(truncated(8 + wanted, 8 + left));
    }
    let header = source.bytes(wanted)?;
    if header.len() < length {
        return Err(truncated(8 + wanted, 8 + header.len() as u64));
    }
    let (arrays, end) = arrays(&header)?;
    drop(header);
    if let Some(left) = source.left() {
        check_data(length, end, left)?;
    }
    let data = source.bytes(end)?;
    check_data(length, end, data.len() as u64)?;
    if source.take(&mut [0])? > 0 {
        return Err(Error::format("the arrays", "the file's last bytes", "more bytes after them")
            .help("The file is damaged; get it again."));
    }
    Ok((arrays, data))
}

/// The error of a file that ends too early.
fn truncated(expected: u64, found: u64) -> Error {
    Error::format("the file", format!("at least {expected} bytes"), found)
        .help("The file is truncated; get it again.")
}

/// How long the header is, if it may be so long.
fn header_length(bytes: [u8; 8]) -> Result<usize> {
    let length = u64::from_le_bytes(bytes);
    if length > MAX_HEADER {
        return Err(Error::format("the header", format!("of at most {MAX_HEADER} bytes"), length)
            .help("This is not a safetensors file, or it is damaged."));
    }
    Ok(length as usize)
}

/// Refuses a file with less or more behind its header than the arrays have.
fn check_data(header: usize, end: u64, data: u64) -> Result<()> {
    match end.cmp(&data) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => {
            let header = 8 + header as u64;
            Err(truncated(header.saturating_add(end), header.saturating_add(data)))
        }
        Ordering::Less => Err(Error::format("the arrays", format!("of {data} bytes together"), end)
            .help("The file is damaged; get it again.")),
    }
}

/// The arrays of a header in the order of their names, and how many bytes they have together.
fn arrays(header: &[u8]) -> Result<(Vec<Array>, u64)> {
    let unreadable = |error: &dyn fmt::Display| {
        Error::format("the header", "a list of arrays in JSON", beginning(error))
            .help("This is not a safetensors file, it is damaged, or it is of a newer version.")
    };
    let text = std::str::from_utf8(header).map_err(|error| unreadable(&error))?;
    let Header(mut arrays) = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    arrays.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    differ("the arrays", arrays.iter().map(|(name, _)| name.as_str()))?;
    let mut ordered: Vec<&Array> = arrays.iter().collect();
    ordered.sort_unstable_by_key(|(_, info)| info.data_offsets);
    let mut end = 0;
    for (name, info) in ordered {
        let (start, stop) = info.data_offsets;
        if start != end || !stop.checked_sub(start).is_some_and(|bytes| fits(info, bytes)) {
            let expected = "bytes as its shape says, behind those of the one before";
            let found = format!("{} {:?} at {start}..{stop}", info.dtype, info.shape);
            return Err(Error::format(format!("the array {:?}", cut(name)), expected, found)
                .help("The file is damaged; get it again."));
        }
        end = stop;
    }
    Ok((arrays, end as u64))
}

/// The beginning of an error's text, without what a terminal would obey: the file's content may be in it, and be long.
fn beginning(error: &dyn fmt::Display) -> String {
    struct Short(String);

    impl fmt::Write for Short {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = 200usize.saturating_sub(self.0.chars().count());
            self.0.extend(text.chars().take(room).map(|c| if c.is_control() { '·' } else { c }));
            Ok(())
        }
    }

    let mut short = Short(String::new());
    let _ = write!(short, "{error}");
    short.0
}

/// Whether an array of this type and shape has so many bytes: what the crate says of a file with it alone.
fn fits(info: &TensorInfo, bytes: usize) -> bool {
    let info = TensorInfo { data_offsets: (0, bytes), ..info.clone() };
    Metadata::new(None, vec![(String::new(), info)]).is_ok()
}

/// The header of a file with these arrays, and the length in front.
///
/// The crate can write whole files, too, in an order of its own: by type, then by name. That would need all arrays in
/// memory at once, and a model hands them out one after the other.
///
/// # Errors
/// When two arrays have one name, or their places are not those of their shapes.
pub(super) fn header(arrays: Vec<Array>) -> Result<Vec<u8>> {
    differ("the parameters", arrays.iter().map(|(name, _)| name.as_str()))
        .map_err(|error| error.help("Give each parameter of a layer a name of its own."))?;
    let notes = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
    let metadata = Metadata::new(Some(notes), arrays).map_err(Error::custom)?;
    let mut json = serde_json::to_vec(&metadata).map_err(Error::custom)?;
    // Blanks up to a multiple of 8, so that numbers are aligned where the file is mapped into memory.
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok([&(json.len() as u64).to_le_bytes()[..], &json].concat())
}

/// What the header has for an array: the crate's [`TensorInfo`], whose axes have no limit.
#[derive(Deserialize)]
struct Entry {
    dtype: Dtype,
    shape: Shape,
    data_offsets: (usize, usize),
}

/// What the header's object has, in the order of the file.
struct Header(Vec<Array>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of arrays")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let (mut arrays, mut notes) = (Vec::new(), None);
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        if notes.replace(map.next_value::<Notes>()?).is_some() {
                            return Err(A::Error::duplicate_field("__metadata__"));
                        }
                        continue;
                    }
                    let at = |error: &str| A::Error::custom(format_args!("{:?}: {}", cut(&name), cut(error)));
                    let mut entry: Entry = map.next_value().map_err(|error| at(&beginning(&error)))?;
                    entry.shape.0.shrink_to_fit();
                    let Entry { dtype, shape, data_offsets } = entry;
                    arrays.push((name, TensorInfo { dtype, shape: shape.0, data_offsets }));
                }
                Ok(Header(arrays))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// What is written beside the arrays: texts by name, which nobody here reads.
struct Notes;

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Notes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Notes, A::Error> {
                while map.next_entry::<IgnoredAny, String>()?.is_some() {}
                Ok(Notes)
            }
        }

        deserializer.deserialize_map(Texts)
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

    fn array(name: &str, dtype: Dtype, shape: &[usize], data_offsets: (usize, usize)) -> Array {
        (name.to_owned(), TensorInfo { dtype, shape: shape.to_vec(), data_offsets })
    }

    /// A header with one array.
    fn one(dtype: &str, shape: &str, offsets: &str) -> String {
        format!("{{\"a\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    }

    fn refusal(header: &str, data: usize) -> String {
        parse(&file(header, data)).expect_err(header).to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let arrays = vec![
            array("a \"b\" \\ \u{1} é", Dtype::F32, &[2, 1], (0, 8)),
            array("none", Dtype::F64, &[0, 5], (8, 8)),
            array("scalar", Dtype::BF16, &[], (8, 10)),
        ];
        let mut bytes = header(arrays.clone()).unwrap();
        assert!(bytes.len().is_multiple_of(8));
        assert_eq!(bytes, header(arrays.clone()).unwrap());
        bytes.extend([1; 10]);
        let (read, data) = parse(&bytes).unwrap();
        assert_eq!((format!("{read:?}"), data.len()), (format!("{arrays:?}"), 10));
        for cut in 0..bytes.len() {
            let text = parse(&bytes[..cut]).unwrap_err().to_string();
            assert!(text.contains("is truncated"), "cut at {cut}: {text}");
            for mut from in [Source::of(&bytes[..cut]), Source::new(&bytes[..cut])] {
                assert_eq!(super::read(&mut from).unwrap_err().to_string(), text, "cut at {cut}");
            }
        }
        for mut from in [Source::of(&bytes), Source::new(&bytes[..])] {
            let (again, numbers) = super::read(&mut from).unwrap();
            assert_eq!((format!("{again:?}"), &numbers[..]), (format!("{arrays:?}"), data));
        }
    }

    /// Of what has no end as much is read as the header says.
    #[test]
    fn an_end_is_not_waited_for() {
        let whole = &file(&one("U8", "[600000]", "[0,600000]"), 600_000)[..];
        let mut endless = whole.chain(std::io::repeat(7).take(100));
        assert_eq!(
            read(&mut Source::new(&mut endless)).unwrap_err().to_string(),
            "expected the arrays to be the file's last bytes, found more bytes after them. \
             The file is damaged; get it again."
        );
        assert_eq!(endless.get_ref().1.limit(), 99);
        let mut zeros = std::io::repeat(0).take(100);
        let text = read(&mut Source::new(&mut zeros)).unwrap_err().to_string();
        assert!(text.contains("a list of arrays in JSON, found EOF"), "{text}");
        assert_eq!(zeros.limit(), 92);
    }

    /// The header is what the crate writes for a file of the same order, so both can be read by whoever reads one.
    #[test]
    fn the_header_is_the_one_that_the_crate_writes() {
        let (some, more) = ([1; 8], [2; 16]);
        let views = [("0.bias", &some[..], 2), ("0.weight", &more[..], 4)].map(|(name, bytes, n)| {
            (name, ::safetensors::tensor::TensorView::new(Dtype::F32, vec![n], bytes).unwrap())
        });
        let notes = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
        let theirs = ::safetensors::serialize(views, Some(notes)).unwrap();
        let ours = header(vec![
            array("0.bias", Dtype::F32, &[2], (0, 8)),
            array("0.weight", Dtype::F32, &[4], (8, 24)),
        ]);
        assert_eq!([&ours.unwrap()[..], &some, &more].concat(), theirs);
    }

    #[test]
    fn a_header_that_nobody_could_read_is_not_written() {
        let twice = vec![array("0.a", Dtype::F32, &[1], (0, 4)), array("0.a", Dtype::F32, &[1], (4, 8))];
        assert_eq!(
            header(twice).unwrap_err().to_string(),
            "expected the parameters to be of names that differ, found \"0.a\" twice. \
             Give each parameter of a layer a name of its own."
        );
        assert!(header(vec![array("0.a", Dtype::F32, &[2], (0, 4))]).is_err());
    }

    #[test]
    fn json_as_others_write_it() {
        let text = " {\n\"__metadata__\" : {\"a\":\"b\",\"c\":\"\"} , \"\\u00e9\\ud83d\\ude00\\/\\n\": {\"data_offsets\":[0, 4],\
                    \"shape\":[],\"dtype\":\"I32\"}}  ";
        assert_eq!(parse(&file(text, 4)).unwrap().0[0].0, "é😀/\n");
        assert!(parse(&file("{}", 0)).unwrap().0.is_empty());
        // What an entry has besides is passed over, as the crate does.
        let more = "{\"a\":{\"dtype\":\"F4\",\"by\":[{}],\"shape\":[2],\"data_offsets\":[0,1]}}";
        assert_eq!(parse(&file(more, 1)).unwrap().0[0].1.dtype, Dtype::F4);
    }

    #[test]
    fn what_does_not_hold_is_refused() {
        assert!(parse(&file(&one("F32", "[1]", "[0,4]"), 4)).is_ok());
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
            ("F32", "[1]", "[0,2,4]", 4),
            ("F32", "[1]", "[0,18446744073709551615]", 4),
            ("U8", "[18446744073709551615]", "[0,18446744073709551615]", 4),
            ("X", "[]", "[0,18446744073709551615]", 4),
            ("F4", "[1]", "[0,1]", 1),
        ] {
            let text = refusal(&one(dtype, shape, offsets), data);
            let whole = text.contains("the file ") || text.contains("the arrays ");
            assert!(whole || text.contains("\"a\""), "{dtype} {shape} {offsets}: {text}");
        }
        for text in [
            "",
            "{",
            "[]",
            "null",
            "{\"a\":1}",
            "{\"a\":{}}",
            "{} x",
            "{\"\\ud800\":{}}",
            "{\"\\u+123\":{}}",
            "{\"__metadata__\":1}",
            "{\"__metadata__\":{\"a\":1}}",
            "{\"__metadata__\":{},\"__metadata__\":{}}",
        ] {
            refusal(text, 0);
        }
        assert!(parse(&file("{\"a\":\u{7f}}", 0)).is_err());
        assert!(parse(&[255; 40]).unwrap_err().to_string().contains("at most 16777216 bytes"));
    }

    #[test]
    fn refusals_name_the_array() {
        assert_eq!(
            refusal(&one("F32", "[2]", "[0,4]"), 4),
            "expected the array \"a\" to be bytes as its shape says, behind those of the one before, \
             found F32 [2] at 0..4. The file is damaged; get it again."
        );
        let gap = "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]},\
                    \"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
        assert!(refusal(gap, 3).contains("the array \"b\" to be bytes"), "{}", refusal(gap, 3));
        assert_eq!(
            refusal(&one("X", "[]", "[0,18446744073709551615]"), 0),
            "expected the header to be a list of arrays in JSON, found \"a\": unknown variant `X`, expected one of \
             `BOOL`, `F4`, `F6_E2M3… at line 1 column 17. \
             This is not a safetensors file, it is damaged, or it is of a newer version."
        );
        assert!(refusal(&one("\\u001b[2J\\n", "[]", "[0,0]"), 0).contains("unknown variant `·[2J·`"));
        let axes = |n: usize| one("F32", &format!("[{}1]", "1,".repeat(n - 1)), "[0,4]");
        assert!(parse(&file(&axes(32), 4)).is_ok());
        assert!(
            refusal(&axes(33), 4)
                .contains("found \"a\": invalid length 33, expected a list of at most 32 items")
        );
    }

    /// A map would keep the last of them, and where the places agree nothing would be missing.
    #[test]
    fn a_name_that_is_there_twice_is_refused() {
        for (shape, offsets, data) in [("[0]", "[0,0]", 0), ("[1]", "[0,4]", 4)] {
            let entry = format!("{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}");
            let text = format!("{{\"a\":{entry},\"\\u0061\":{entry}}}");
            assert!(::safetensors::SafeTensors::deserialize(&file(&text, data)).is_ok());
            let refusal = refusal(&text, data);
            assert!(
                refusal.contains("the arrays to be of names that differ, found \"a\" twice"),
                "{refusal}"
            );
        }
    }

    /// Their bytes are as their shapes say, and what they fill with the header is more than there are addresses.
    #[test]
    fn arrays_up_to_the_last_address_are_refused() {
        let most = usize::MAX / 8;
        let entry = |i: usize, start: usize, end: usize| {
            format!(
                "\"{i}\":{{\"dtype\":\"U8\",\"shape\":[{}],\"data_offsets\":[{start},{end}]}}",
                end - start
            )
        };
        let mut entries: Vec<String> = (0..8).map(|i| entry(i, i * most, (i + 1) * most)).collect();
        entries.push(entry(8, 8 * most, usize::MAX));
        assert!(refusal(&format!("{{{}}}", entries.join(",")), 0).contains("is truncated"));
    }
}
