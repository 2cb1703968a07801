use super::*;

#[test]
fn what_went_in_comes_out_to_the_bit_and_the_rest_is_refused() {
    let odd = f64::from_bits(0x7ff8_0000_0000_1234);
    let array = ndarray::arr2(&[[1.0f32, -0.0]]).into_dyn();
    let inner = State::new().text("t", "ä").flag("f", true);
    let state = State::new()
        .number("a", odd)
        .list("b", None)
        .array("c", array.clone())
        .integer("d", u64::MAX)
        .integers("e", [0, 1 << 60])
        .bytes("f", [0u8, 255])
        .nested("g", inner);
    let bytes = codec::encode(&state).unwrap();
    let json = serde_json::to_string(&state).unwrap();
    for mut back in [codec::decode::<State>(&bytes, "a state").unwrap(), state.clone()] {
        assert_eq!(back.take_number("a").unwrap().to_bits(), odd.to_bits());
        assert!(back.take_list("b").unwrap().is_empty());
        assert!(back.take_number("c").is_err(), "it is an array");
        assert_eq!(back.take_array("c").unwrap(), array);
        assert_eq!(back.take_bytes("f").unwrap(), [0, 255], "out of order");
        assert_eq!(back.take_integers("e").unwrap(), [0, 1 << 60]);
        let mut inner = back.take_nested("g").unwrap();
        assert!(inner.take_flag("f").unwrap());
        assert_eq!(inner.take_text("t").unwrap(), "ä");
        assert!(back.finish().unwrap_err().to_string().contains("must have no entries left, got \"d\""));
        // Only the remaining values are saved.
        let again = codec::encode(&back).unwrap();
        assert_eq!(codec::decode::<State>(&again, "a state").unwrap().names().collect::<Vec<_>>(), ["d"]);
        assert!(back.clone().take_integer::<u32>("d").unwrap_err().to_string().contains("fits u32"));
        assert_eq!(back.take_integer::<u64>("d").unwrap(), u64::MAX);
        back.finish().unwrap();
    }
    let mut read: State = serde_json::from_str(&json).unwrap();
    assert!(read.take_number("a").unwrap().is_nan());
    assert_eq!(read.take_integers("e").unwrap(), [0, 1 << 60]);
    let mut list: State = State::new().list("l", [1.0, 2.0, 3.0]);
    assert!(list.clone().take_rows::<2>("l").is_err());
    assert_eq!(list.take_rows::<3>("l").unwrap(), [[1.0, 2.0, 3.0]]);
}

/// The bytes of nested states, `levels` deep.
fn deep(levels: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = [1, 0, 8].repeat(levels - 1); // one value, no name, a state
    bytes.push(0);
    bytes
}

#[test]
fn depth_and_number_of_values_are_bounded_in_both_directions() {
    let nested = |levels| (1..levels).fold(State::<f32>::new(), |state, _| State::new().nested("", state));
    assert_eq!(codec::encode(&nested(MAX_DEPTH)).unwrap(), deep(MAX_DEPTH));
    codec::decode::<State>(&deep(MAX_DEPTH), "a state").unwrap();
    for levels in [MAX_DEPTH + 1, 600_000] {
        let text = codec::decode::<State>(&deep(levels), "a state").unwrap_err().to_string();
        assert!(text.contains("more than 8 deep"), "{text}");
    }
    assert!(codec::encode(&nested(MAX_DEPTH + 1)).unwrap_err().to_string().contains("9 levels"));

    let flags = |n: usize| (0..n).fold(State::<f32>::new(), |state, i| state.flag(i.to_string(), true));
    let half = MAX_VALUES / 2;
    let file = codec::encode(&(flags(half), flags(half))).unwrap();
    codec::decode::<(State, State)>(&file, "two states").unwrap();
    let file = codec::encode(&(flags(half), flags(half + 1))).unwrap();
    let text = codec::decode::<(State, State)>(&file, "two states").unwrap_err().to_string();
    assert!(text.contains("more than 131072 values"), "{text}");
    codec::decode::<State>(&codec::encode(&flags(3)).unwrap(), "after an error").unwrap();
    assert!(codec::encode(&flags(MAX_VALUES + 1)).unwrap_err().to_string().contains("131073 values"));
    // A state outside a file, in another format, is limited too.
    let values: Vec<String> = (0..=MAX_VALUES).map(|i| format!(r#"["{i}",{{"Flag":true}}]"#)).collect();
    let json = format!("[{}]", values.join(","));
    assert!(serde_json::from_str::<State>(&json).is_err());
    assert!(size_of::<(String, Value<f32>)>() <= 64);
}

#[test]
fn claimed_lengths_are_not_believed() {
    for claimed in [
        vec![253, 255, 255, 255, 255, 255, 255, 255, 255], // values
        vec![1, 253, 255, 255, 255, 255, 255, 255, 255, 255], // a name
        vec![1, 0, 3, 253, 255, 255, 255, 255, 255, 255, 255, 255], // text
        vec![1, 0, 6, 253, 255, 255, 255, 255, 255, 255, 255, 255], // bytes
        vec![1, 0, 5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0],       // whole numbers in 9 bytes
    ] {
        assert!(codec::decode::<State>(&claimed, "a state").is_err(), "{claimed:?}");
    }
    // In a file, where bytes are stored apart.
    for (count, there) in [(1u64 << 40, 3), (2, 3), (4, 3)] {
        let body = codec::encode(&vec![(String::new(), 6u8, count)]).unwrap();
        let numbers = [Box::new(vec![0u8; there]) as codec::numbers::Numbers].into();
        let read: Result<State> = codec::numbers::read(&body, numbers, "a state");
        assert!(read.is_err(), "{count}");
    }
}

#[test]
fn two_values_of_one_name_are_refused_and_order_plays_no_part() {
    let twice = State::<f32>::new().flag("a", true).integer("a", 1);
    assert!(codec::encode(&twice).unwrap_err().to_string().contains("puts in a name of its own"));
    let json = r#"[["a",{"Flag":true}],["a",{"Integer":1}]]"#;
    assert!(serde_json::from_str::<State>(json).unwrap_err().to_string().contains("have distinct names"));

    // Taken in reverse, which would take minutes if each search went through all values.
    let count = MAX_VALUES as u64;
    let mut state = (0..count).fold(State::<f32>::new(), |state, i| state.integer(i.to_string(), i));
    for i in (0..count).rev() {
        assert_eq!(state.take_integer::<u64>(&i.to_string()).unwrap(), i);
    }
    state.finish().unwrap();
    // A value that was taken may be put in anew.
    let mut state = State::<f32>::new().integer("a", 1).integer("b", 2);
    state.take_integer::<u64>("a").unwrap();
    assert!(state.take_integer::<u64>("a").is_err());
    state = state.integer("a", 3);
    assert_eq!(state, State::<f32>::new().integer("b", 2).integer("a", 3));
    assert_eq!((state.take_integer::<u8>("a").unwrap(), state.take_integer::<u8>("b").unwrap()), (3, 2));
}
