//! Reads the JSON of a request straight into rows.
//!
//! Only the values that the model takes are kept, in no more rows than a request may have and no more numbers than an array has.
//! So the memory is bounded by what the model takes, and not by what JSON can say. It is serde's reader, because rows are made from
//! any serde value; v2/json.rs has a faster one for tensors of numbers.
//!
//! ```text
//! Body {"rows": …} ──> Rows […] ──> OneRow {…} ──> Value of a field ──> Numbers [[…]] in its shape
//! ```

use super::reader::Reader;
use crate::fault::{Fault, shortened};
use plywood::data::ColumnType;
use plywood::predictor::{Raw, Row};
use plywood::preprocessing::Field;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The rows of a body: `{"text": …}`, `{"row": …}` or `{"rows": […]}`.
pub(super) fn rows(body: &[u8], reader: &mut Reader<'_>, most: usize) -> Result<Vec<Row>, Fault> {
    let mut state = State { reader, most, row: 0, fault: None };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = Body(&mut state).deserialize(&mut json).and_then(|rows| json.end().map(|()| rows));
    read.map_err(|error| state.explained("the body must be JSON", error))
}

/// The array of a field, whose numbers are the text of a part.
pub(super) fn array(json: &str, field: &Field, reader: &mut Reader<'_>) -> Result<Row, Fault> {
    let mut state = State { reader, most: 1, row: 1, fault: None };
    let mut json = serde_json::Deserializer::from_str(json);
    let read = Value(field, &mut state).deserialize(&mut json).and_then(|row| json.end().map(|()| row));
    let part = shortened(&field.name, 100);
    read.map_err(|error| state.explained(&format!("the part {part:?} must be {}", field.column_type), error))
}

/// What all parts of a body need.
struct State<'r, 'f> {
    reader: &'r mut Reader<'f>,
    /// The most rows.
    most: usize,
    /// The number of the row, from 1 on.
    row: usize,
    /// Why the body is refused, if not because of its JSON.
    fault: Option<Fault>,
}

impl State<'_, '_> {
    /// Refuses the body.
    fn refuse<T, E: Error>(&mut self, fault: Fault) -> Result<T, E> {
        self.fault = Some(fault);
        Err(E::custom("refused"))
    }

    /// Refuses the value of a field.
    fn unfit<T, E: Error>(&mut self, field: &Field, found: &str) -> Result<T, E> {
        let (row, name, expected) = (self.row, shortened(&field.name, 100), &field.column_type);
        self.refuse(Fault::bad(format!("row {row}, {name:?} must be {expected}, got {found}")))
    }

    /// Hands on a result.
    fn checked<T, E: Error>(&mut self, result: Result<T, Fault>) -> Result<T, E> {
        result.or_else(|fault| self.refuse(fault))
    }

    fn explained(self, expected: &str, error: serde_json::Error) -> Fault {
        self.fault.unwrap_or_else(|| Fault::bad(format!("{expected}, got an error: {error}")))
    }
}

/// The error for another form.
fn form() -> Fault {
    Fault::bad(
        "the JSON must be {\"text\": …}, {\"row\": {…}} or {\"rows\": [{…}, …]}, with nothing beside it",
    )
}

/// What a visitor is called for that has another type.
macro_rules! otherwise {
    ($refuse:ident: $($visit:ident $kind:ty),+) => {
        $(fn $visit<E: Error>(self, _: $kind) -> Result<Self::Value, E> {
            self.$refuse()
        })+
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            self.$refuse()
        }
    };
}

/// The whole body.
struct Body<'s, 'r, 'f>(&'s mut State<'r, 'f>);

impl Body<'_, '_, '_> {
    fn other<T, E: Error>(self) -> Result<T, E> {
        self.0.refuse(form())
    }
}

impl<'de> DeserializeSeed<'de> for Body<'_, '_, '_> {
    type Value = Vec<Row>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<Row>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Body<'_, '_, '_> {
    type Value = Vec<Row>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Row>, A::Error> {
        let Some(key) = map.next_key::<String>()? else { return self.other() };
        let rows = match key.as_str() {
            "text" => {
                self.0.row = 1;
                let text = self.0.reader.only(&ColumnType::Text, "a text").cloned();
                let field = self.0.checked(text)?;
                vec![map.next_value_seed(Value(&field, self.0))?]
            }
            "row" => vec![map.next_value_seed(OneRow(self.0))?],
            "rows" => map.next_value_seed(Rows(self.0))?,
            _ => return self.other(),
        };
        match map.next_key::<IgnoredAny>()? {
            None => Ok(rows),
            Some(_) => self.other(),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Vec<Row>, A::Error> {
        self.other()
    }

    otherwise!(other: visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64, visit_str &str);
}

/// A list of rows.
struct Rows<'s, 'r, 'f>(&'s mut State<'r, 'f>);

impl Rows<'_, '_, '_> {
    fn other<T, E: Error>(self) -> Result<T, E> {
        self.0.refuse(Fault::bad("\"rows\" must be a list of rows"))
    }
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_, '_> {
    type Value = Vec<Row>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<Row>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_, '_> {
    type Value = Vec<Row>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Row>, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = list.next_element_seed(OneRow(self.0))? {
            if rows.len() == self.0.most {
                let most = self.0.most;
                return self.0.refuse(Fault::large(format!(
                    "a request must have at most {most} rows, got more; send several"
                )));
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Vec<Row>, A::Error> {
        self.other()
    }

    otherwise!(other: visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64, visit_str &str);
}

/// A row: an object of named values, or the only value of a model that takes one.
struct OneRow<'s, 'r, 'f>(&'s mut State<'r, 'f>);

impl<'de> DeserializeSeed<'de> for OneRow<'_, '_, '_> {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Row, D::Error> {
        self.0.row += 1;
        json.deserialize_any(self)
    }
}

impl<'s, 'r, 'f> OneRow<'s, 'r, 'f> {
    /// The visitor of a value without a name.
    fn alone<E: Error>(self) -> Result<Value<'f, 's, 'r, 'f>, E> {
        match self.0.reader.fields {
            [field] => Ok(Value(field, self.0)),
            _ => {
                let taken = self.0.reader.taken();
                let row = self.0.row;
                self.0.refuse(Fault::bad(format!(
                    "row {row} must be an object of named values, got a value alone; {taken}"
                )))
            }
        }
    }
}

impl<'de> Visitor<'de> for OneRow<'_, '_, '_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = Row::new();
        while let Some(name) = map.next_key::<String>()? {
            let field = self.0.reader.fields.iter().find(|field| field.name == name);
            match field {
                Some(field) if row.names().any(|known| known == name) => {
                    let (row, name) = (self.0.row, shortened(&field.name, 100));
                    return self
                        .0
                        .refuse(Fault::bad(format!("row {row} must have {name:?} once, got it twice")));
                }
                Some(field) => row = row.with(name, map.next_value_seed(Value(field, self.0))?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                    row = Reader::with_unknown(row, &name);
                }
            }
        }
        Ok(row)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Row, A::Error> {
        self.alone()?.visit_seq(list)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Row, E> {
        self.alone()?.visit_bool(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Row, E> {
        self.alone()?.visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Row, E> {
        self.alone()?.visit_u64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Row, E> {
        self.alone()?.visit_f64(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Row, E> {
        self.alone()?.visit_str(value)
    }

    fn visit_unit<E: Error>(self) -> Result<Row, E> {
        self.alone()?.visit_unit()
    }
}

/// The value of a field.
struct Value<'v, 's, 'r, 'f>(&'v Field, &'s mut State<'r, 'f>);

impl<'de> DeserializeSeed<'de> for Value<'_, '_, '_, '_> {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Row, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_, '_, '_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Row, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Row, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Row, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Row, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Row, E> {
        match self.0.column_type {
            ColumnType::Image => {
                let image = self.1.reader.encoded_image(value);
                self.1.checked(image).map(Row::from)
            }
            _ => Ok(value.into()),
        }
    }

    /// A missing value is one of a table: a text, an image or an array that is alone must be there.
    fn visit_unit<E: Error>(self) -> Result<Row, E> {
        let Self(field, state) = self;
        let is_alone = state.reader.fields.len() == 1;
        match field.column_type {
            ColumnType::Text | ColumnType::Image | ColumnType::Array(_) if is_alone => {
                state.unfit(field, "null")
            }
            _ => Ok(Raw::Missing.into()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Row, A::Error> {
        let Self(field, state) = self;
        let ColumnType::Array(shape) = &field.column_type else { return state.unfit(field, "a list") };
        let mut numbers = Vec::new();
        Numbers { shape, numbers: &mut numbers, field, state }.visit_seq(list)?;
        Ok(Raw::Array { shape: shape.clone(), numbers }.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Row, A::Error> {
        self.1.unfit(self.0, "an object")
    }
}

/// Numbers in a nesting of this shape.
struct Numbers<'n, 'v, 's, 'r, 'f> {
    shape: &'n [usize],
    numbers: &'n mut Vec<f64>,
    field: &'v Field,
    state: &'s mut State<'r, 'f>,
}

impl Numbers<'_, '_, '_, '_, '_> {
    fn other<T, E: Error>(self) -> Result<T, E> {
        self.state.unfit(self.field, "other values, or another nesting")
    }

    fn push<E: Error>(self, number: f64) -> Result<(), E> {
        match self.shape {
            [] => {
                self.numbers.push(number);
                Ok(())
            }
            _ => self.other(),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Numbers<'_, '_, '_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Numbers<'_, '_, '_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.push(number as f64)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.push(number as f64)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.push(number)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((&side, rest)) = self.shape.split_first() else { return self.other() };
        for _ in 0..side {
            let (numbers, state) = (&mut *self.numbers, &mut *self.state);
            let item = Numbers { shape: rest, numbers, field: self.field, state };
            if list.next_element_seed(item)?.is_none() {
                return self.other();
            }
        }
        match list.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => self.other(),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.other()
    }

    otherwise!(other: visit_bool bool, visit_str &str);
}
