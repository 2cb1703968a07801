//! Rows from anything that serde can write.

use super::raw::{Raw, Row};
use serde::ser::{self, Impossible, Serialize};
use std::fmt;

/// The fields of a struct, a map or a JSON object; or a single value.
impl<T: Serialize> From<T> for Row {
    fn from(value: T) -> Self {
        let mut row = Self::default();
        match value.serialize(Values { row: &mut row, top: true, key: None }) {
            Ok(Some(raw)) => row.add(String::new(), Ok(raw)),
            Ok(None) => {}
            Err(Fault(text)) => row.add(String::new(), Err(text)),
        }
        row
    }
}

/// Why a value cannot become a row.
#[derive(Debug)]
struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl ser::Error for Fault {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(text.to_string())
    }
}

/// Takes a value: at the top a struct or a map, whose values become those of the row, or a single value; below it a
/// single value.
struct Values<'a> {
    row: &'a mut Row,
    top: bool,
    /// The key of a map whose value is next.
    key: Option<String>,
}

impl Values<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, name: String, value: &T) {
        let entry = value.serialize(Values { row: &mut Row::default(), top: false, key: None });
        self.row.add(name, entry.map(|raw| raw.unwrap_or(Raw::Missing)).map_err(|Fault(text)| text));
    }
}

/// A number that must be exact as `f64`.
macro_rules! whole {
    ($($name:ident $type:ty),*) => {$(
        fn $name(self, x: $type) -> Answer {
            let number = x as f64;
            match number as i128 == i128::from(x) {
                true => Ok(Some(Raw::Number(number))),
                false => Err(Fault(format!("the whole number {x}, which is too large to be exact"))),
            }
        }
    )*};
}

type Answer = Result<Option<Raw>, Fault>;

impl<'a> ser::Serializer for Values<'a> {
    /// `None` if the values went into the row.
    type Ok = Option<Raw>;
    type Error = Fault;
    type SerializeSeq = Numbers;
    type SerializeTuple = Numbers;
    type SerializeTupleStruct = Numbers;
    type SerializeTupleVariant = Impossible<Option<Raw>, Fault>;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<Option<Raw>, Fault>;

    whole!(serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_u8 u8,
        serialize_u16 u16, serialize_u32 u32, serialize_u64 u64);

    fn serialize_bool(self, value: bool) -> Answer {
        Ok(Some(Raw::Boolean(value)))
    }

    /// By its shortest text, so that the `f32` 0.1 is the 0.1 of a file.
    fn serialize_f32(self, x: f32) -> Answer {
        self.serialize_f64(x.to_string().parse().unwrap_or(f64::NAN))
    }

    fn serialize_f64(self, x: f64) -> Answer {
        match x {
            _ if x.is_nan() => Ok(Some(Raw::Missing)),
            _ if x.is_infinite() => Err(Fault("an infinite number".into())),
            _ => Ok(Some(Raw::Number(x))),
        }
    }

    fn serialize_char(self, x: char) -> Answer {
        Ok(Some(Raw::Text(x.to_string())))
    }

    fn serialize_str(self, x: &str) -> Answer {
        Ok(Some(Raw::Text(x.to_owned())))
    }

    fn serialize_bytes(self, x: &[u8]) -> Answer {
        Ok(Some(Raw::image(x)))
    }

    fn serialize_none(self) -> Answer {
        Ok(Some(Raw::Missing))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, x: &T) -> Answer {
        x.serialize(self)
    }

    /// JSON's null.
    fn serialize_unit(self) -> Answer {
        Ok(Some(Raw::Missing))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Answer {
        Err(Fault(format!("the value {name}, which holds nothing")))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Answer {
        Ok(Some(Raw::Text(variant.to_owned())))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, x: &T) -> Answer {
        x.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: &T,
    ) -> Answer {
        Err(Fault(format!("the variant {variant} with content")))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Numbers, Fault> {
        Ok(Numbers::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<Numbers, Fault> {
        Ok(Numbers::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Numbers, Fault> {
        Ok(Numbers::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Fault> {
        Err(Fault(format!("the variant {variant} with content")))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Fault> {
        match self.top {
            true => Ok(self),
            false => Err(Fault("an object inside of a value".into())),
        }
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Self, Fault> {
        self.serialize_map(Some(length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Fault> {
        Err(Fault(format!("the variant {variant} with content")))
    }
}

impl ser::SerializeStruct for Values<'_> {
    type Ok = Option<Raw>;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        self.add(name.to_owned(), value);
        Ok(())
    }

    fn end(self) -> Answer {
        Ok(None)
    }
}

impl ser::SerializeMap for Values<'_> {
    type Ok = Option<Raw>;
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        match key.serialize(Values { row: &mut Row::default(), top: false, key: None })? {
            Some(Raw::Text(name)) => self.key = Some(name),
            _ => return Err(Fault("a key that is no text".into())),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let name = self.key.take().unwrap_or_default();
        self.add(name, value);
        Ok(())
    }

    fn end(self) -> Answer {
        Ok(None)
    }
}

/// Takes a list of numbers, or of lists of the same shape.
#[derive(Default)]
struct Numbers {
    items: usize,
    /// The shape of an item.
    item: Option<Vec<usize>>,
    numbers: Vec<f64>,
}

impl Numbers {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let (shape, numbers) =
            match value.serialize(Values { row: &mut Row::default(), top: false, key: None })? {
                Some(Raw::Number(number)) => (Vec::new(), vec![number]),
                Some(Raw::Array { shape, numbers }) => (shape, numbers),
                Some(raw) => return Err(Fault(format!("{} in a list", raw.described()))),
                None => return Err(Fault("an object in a list".into())),
            };
        if *self.item.get_or_insert_with(|| shape.clone()) != shape {
            return Err(Fault("lists of different lengths in a list".into()));
        }
        self.items += 1;
        self.numbers.extend(numbers);
        Ok(())
    }

    fn finish(self) -> Answer {
        let shape = [vec![self.items], self.item.unwrap_or_default()].concat();
        Ok(Some(Raw::Array { shape, numbers: self.numbers }))
    }
}

macro_rules! list {
    ($($trait:ident $method:ident),*) => {$(
        impl ser::$trait for Numbers {
            type Ok = Option<Raw>;
            type Error = Fault;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
                self.add(value)
            }

            fn end(self) -> Answer {
                self.finish()
            }
        }
    )*};
}

list!(SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field);
