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

/// From a source without an end, only as much is read as the header announces, and one byte.
#[test]
fn an_end_is_not_waited_for() {
    let whole = &file(&one("U8", "[600000]", "[0,600000]"), 600_000)[..];
    let mut endless = whole.chain(std::io::repeat(7).take(100));
    assert_eq!(
        read(&mut Source::new(&mut endless)).unwrap_err().to_string(),
        "the arrays must be the file's last bytes, got more bytes after them. The file is damaged; get it again."
    );
    assert_eq!(endless.get_ref().1.limit(), 99);
    let mut zeros = std::io::repeat(0).take(100);
    let text = read(&mut Source::new(&mut zeros)).unwrap_err().to_string();
    assert!(text.contains("be a list of arrays in JSON, got an error: EOF"), "{text}");
    assert_eq!(zeros.limit(), 92);
}

/// The header equals the one that the crate writes for a file in the same order, so every reader of one can read both.
#[test]
fn the_header_is_the_one_that_the_crate_writes() {
    let (some, more) = ([1; 8], [2; 16]);
    let views = [("0.bias", &some[..], 2), ("0.weight", &more[..], 4)].map(|(name, bytes, n)| {
        (name, ::safetensors::tensor::TensorView::new(Dtype::F32, vec![n], bytes).unwrap())
    });
    let notes = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
    let theirs = ::safetensors::serialize(views, Some(notes)).unwrap();
    let ours =
        header(vec![array("0.bias", Dtype::F32, &[2], (0, 8)), array("0.weight", Dtype::F32, &[4], (8, 24))]);
    assert_eq!([&ours.unwrap()[..], &some, &more].concat(), theirs);
}

#[test]
fn a_header_that_nobody_could_read_is_not_written() {
    let twice = vec![array("0.a", Dtype::F32, &[1], (0, 4)), array("0.a", Dtype::F32, &[1], (4, 8))];
    assert_eq!(
        header(twice).unwrap_err().to_string(),
        "the parameters must have distinct names, got \"0.a\" twice. Give each parameter of a layer a name of its \
         own."
    );
    assert!(header(vec![array("0.a", Dtype::F32, &[2], (0, 4))]).is_err());
}

#[test]
fn json_as_others_write_it() {
    let text = " {\n\"__metadata__\" : {\"a\":\"b\",\"c\":\"\"} , \"\\u00e9\\ud83d\\ude00\\/\\n\": {\"data_offsets\":[0, 4],\
                \"shape\":[],\"dtype\":\"I32\"}}  ";
    assert_eq!(parse(&file(text, 4)).unwrap().0[0].0, "é😀/\n");
    assert!(parse(&file("{}", 0)).unwrap().0.is_empty());
    // Other fields of an entry are ignored, as in the crate.
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
        "the array \"a\" must have the bytes of its shape, after those of the array before, got F32 [2] at 0..4. \
         The file is damaged; get it again."
    );
    let gap = "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]},\
                \"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    assert!(refusal(gap, 3).contains("the array \"b\" must have the bytes"), "{}", refusal(gap, 3));
    assert_eq!(
        refusal(&one("X", "[]", "[0,18446744073709551615]"), 0),
        "the header must be a list of arrays in JSON, got an error: \"a\": unknown variant `X`, expected one of `BOOL`, \
         `F4`, `F6_E2M3… at line 1 column 17. This is not a safetensors file, it is damaged, or it is of a newer \
         version."
    );
    assert!(refusal(&one("\\u001b[2J\\n", "[]", "[0,0]"), 0).contains("unknown variant `·[2J·`"));
    let axes = |n: usize| one("F32", &format!("[{}1]", "1,".repeat(n - 1)), "[0,4]");
    assert!(parse(&file(&axes(32), 4)).is_ok());
    assert!(
        refusal(&axes(33), 4)
            .contains("got an error: \"a\": invalid length 33, expected a list of at most 32 items")
    );
}

/// A map would keep the last of them; if the positions agree, nothing would be missing.
#[test]
fn a_name_that_is_there_twice_is_refused() {
    for (shape, offsets, data) in [("[0]", "[0,0]", 0), ("[1]", "[0,4]", 4)] {
        let entry = format!("{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}");
        let text = format!("{{\"a\":{entry},\"\\u0061\":{entry}}}");
        assert!(::safetensors::SafeTensors::deserialize(&file(&text, data)).is_ok());
        let refusal = refusal(&text, data);
        assert!(refusal.contains("the arrays must have distinct names, got \"a\" twice"), "{refusal}");
    }
}

/// Their bytes match their shapes, but together with the header they exceed the address space.
#[test]
fn arrays_up_to_the_last_address_are_refused() {
    let most = usize::MAX / 8;
    let entry = |i: usize, start: usize, end: usize| {
        format!("\"{i}\":{{\"dtype\":\"U8\",\"shape\":[{}],\"data_offsets\":[{start},{end}]}}", end - start)
    };
    let mut entries: Vec<String> = (0..8).map(|i| entry(i, i * most, (i + 1) * most)).collect();
    entries.push(entry(8, 8 * most, usize::MAX));
    assert!(refusal(&format!("{{{}}}", entries.join(",")), 0).contains("is truncated"));
}
