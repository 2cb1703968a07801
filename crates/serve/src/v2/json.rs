//! Reads the JSON of an inference request, each number straight into its tensor.

use super::request::{Data, Given, Request, Wanted};
use crate::fault::{Fault, shortened};
use crate::tensor::Datatype;
use jiter::{Jiter, JiterResult, Peek};

/// The deepest nesting of `data`.
const DEEPEST: usize = 16;

/// What a request's JSON has in place of an input's data.
pub(super) enum Source {
    /// The data, which are read.
    Json(Data),
    /// So many bytes behind the JSON.
    Binary(usize),
}

/// Reads the JSON, and returns the request, where the data of each input are, and the length of the JSON.
pub(super) fn read(json: &[u8]) -> Result<(Request, Vec<Source>, usize), Fault> {
    let mut reader = Reader { json, jiter: Jiter::new(json).with_allow_inf_nan() };
    let (mut request, mut sources) = (Request::default(), Vec::new());
    let mut key = reader.try_key(true)?;
    while let Some(known) = key {
        match known {
            Key::Id => request.id = Some(reader.text("id")?),
            Key::Inputs => reader.each("inputs", |reader| {
                let (given, source) = reader.input()?;
                request.inputs.push(given);
                sources.push(source);
                Ok(())
            })?,
            Key::Outputs => reader.each("outputs", |reader| {
                request.outputs.push(reader.output()?);
                Ok(())
            })?,
            Key::Parameters => {
                let parameters = reader.parameters(&[Key::BinaryDataOutput, Key::Sequence])?;
                request.binary = parameters.binary_data_output.unwrap_or(false);
            }
            _ => reader.skip()?,
        }
        key = reader.try_key(false)?;
    }
    let end = reader.jiter.current_index();
    Ok((request, sources, end))
}

/// A key of an object.
#[derive(Clone, Copy, PartialEq)]
enum Key {
    Id,
    Inputs,
    Outputs,
    Parameters,
    Name,
    Shape,
    Datatype,
    Data,
    BinaryDataSize,
    BinaryData,
    BinaryDataOutput,
    Classification,
    SharedMemory,
    Sequence,
    Other,
}

impl Key {
    fn of(name: &str) -> Self {
        match name {
            "id" => Self::Id,
            "inputs" => Self::Inputs,
            "outputs" => Self::Outputs,
            "parameters" => Self::Parameters,
            "name" => Self::Name,
            "shape" => Self::Shape,
            "datatype" => Self::Datatype,
            "data" => Self::Data,
            "binary_data_size" => Self::BinaryDataSize,
            "binary_data" => Self::BinaryData,
            "binary_data_output" => Self::BinaryDataOutput,
            "classification" => Self::Classification,
            "shared_memory_region" => Self::SharedMemory,
            "sequence_id" => Self::Sequence,
            _ => Self::Other,
        }
    }
}

/// The parameters of a request, an input or an output.
#[derive(Default)]
struct Parameters {
    binary_data_size: Option<usize>,
    binary_data: Option<bool>,
    binary_data_output: Option<bool>,
    classification: Option<usize>,
}

struct Reader<'j> {
    json: &'j [u8],
    jiter: Jiter<'j>,
}

impl Reader<'_> {
    /// What is wrong with the JSON, and where.
    fn checked<T>(&self, result: JiterResult<T>) -> Result<T, Fault> {
        result.map_err(|error| {
            let expected = error.description(&self.jiter);
            Fault::bad(format!("the request must be JSON as the protocol says, got an error: {expected}"))
        })
    }

    /// The next key of an object, or its first.
    fn try_key(&mut self, first: bool) -> Result<Option<Key>, Fault> {
        let key = match first {
            true => self.jiter.next_object().map(|key| key.map(Key::of)),
            false => self.jiter.next_key().map(|key| key.map(Key::of)),
        };
        self.checked(key)
    }

    /// Calls `item` for each item of an array.
    fn each(
        &mut self,
        what: &str,
        mut item: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let peek = self.jiter.peek();
        if self.checked(peek)? != Peek::Array {
            return Err(Fault::bad(format!("\"{what}\" must be an array; the protocol says what is in it")));
        }
        let first = self.jiter.known_array();
        let mut next = self.checked(first)?;
        while next.is_some() {
            item(self)?;
            let step = self.jiter.array_step();
            next = self.checked(step)?;
        }
        Ok(())
    }

    fn text(&mut self, what: &str) -> Result<String, Fault> {
        let text = self.jiter.next_str().map(str::to_owned);
        self.checked(text).map_err(|fault| Fault::bad(format!("\"{what}\" must be a string: {fault}")))
    }

    fn skip(&mut self) -> Result<(), Fault> {
        let skipped = self.jiter.next_skip();
        self.checked(skipped)
    }

    /// A whole number of at least 0.
    fn whole(&mut self, what: &str) -> Result<usize, Fault> {
        let number = self.jiter.next_number_bytes().map(<[u8]>::to_vec);
        let number = self.checked(number);
        let whole = number.ok().and_then(|number| std::str::from_utf8(&number).ok()?.parse().ok());
        whole.ok_or_else(|| Fault::bad(format!("\"{what}\" must be a whole number of at least 0")))
    }

    fn boolean(&mut self, what: &str) -> Result<bool, Fault> {
        let value = self.jiter.next_bool();
        self.checked(value).map_err(|_| Fault::bad(format!("\"{what}\" must be true or false")))
    }

    /// The parameters of this place; all others are those of other servers and change nothing.
    fn parameters(&mut self, here: &[Key]) -> Result<Parameters, Fault> {
        let mut all = Parameters::default();
        let mut key = self.try_key(true)?;
        while let Some(known) = key {
            match known {
                other if !here.contains(&other) => self.skip()?,
                Key::BinaryDataSize => all.binary_data_size = Some(self.whole("binary_data_size")?),
                Key::BinaryData => all.binary_data = Some(self.boolean("binary_data")?),
                Key::BinaryDataOutput => all.binary_data_output = Some(self.boolean("binary_data_output")?),
                Key::Classification => all.classification = Some(self.whole("classification")?),
                Key::SharedMemory => {
                    return Err(Fault::not_implemented(
                        "this server has no shared memory; send the data in the request",
                    ));
                }
                Key::Sequence => {
                    return Err(Fault::not_implemented(
                        "this server has no sequences: each request is answered on its own; leave \"sequence_id\" out",
                    ));
                }
                _ => self.skip()?,
            }
            key = self.try_key(false)?;
        }
        Ok(all)
    }

    fn output(&mut self) -> Result<Wanted, Fault> {
        let (mut name, mut parameters) = (None, Parameters::default());
        let mut key = self.try_key(true)?;
        while let Some(known) = key {
            match known {
                Key::Name => name = Some(self.text("name")?),
                Key::Parameters => {
                    parameters =
                        self.parameters(&[Key::BinaryData, Key::Classification, Key::SharedMemory])?;
                }
                _ => self.skip()?,
            }
            key = self.try_key(false)?;
        }
        let name = name.ok_or_else(|| Fault::bad("each of \"outputs\" must have a \"name\""))?;
        Ok(Wanted { name, classification: parameters.classification, binary: parameters.binary_data })
    }

    fn input(&mut self) -> Result<(Given, Source), Fault> {
        let (mut name, mut datatype, mut shape, mut size) = (None, None, None, None);
        // The data, or where they begin if their type is not known yet.
        let (mut data, mut later) = (None, None);
        let mut key = self.try_key(true)?;
        while let Some(known) = key {
            match known {
                Key::Name => name = Some(self.text("name")?),
                Key::Datatype => datatype = Some(self.text("datatype")?),
                Key::Shape => {
                    let mut sides = Vec::new();
                    self.each("shape", |reader| {
                        sides.push(reader.whole("shape")?);
                        Ok(())
                    })?;
                    shape = Some(sides);
                }
                Key::Parameters => {
                    size = self.parameters(&[Key::BinaryDataSize, Key::SharedMemory])?.binary_data_size;
                }
                Key::Data => match &datatype {
                    Some(datatype) => data = Some(self.data(name.as_deref(), datatype)?),
                    None => {
                        later = Some(self.jiter.current_index());
                        self.skip()?;
                    }
                },
                _ => self.skip()?,
            }
            key = self.try_key(false)?;
        }
        let need = |what: &str| Fault::bad(format!("each of \"inputs\" must have a {what:?}"));
        let (name, datatype) = (name.ok_or_else(|| need("name"))?, datatype.ok_or_else(|| need("datatype"))?);
        if let Some(begin) = later {
            let json = &self.json[begin..];
            let mut reader = Reader { json, jiter: Jiter::new(json).with_allow_inf_nan() };
            data = Some(reader.data(Some(&name), &datatype)?);
        }
        let source = match (data, size) {
            (Some(data), None) => Source::Json(data),
            (None, Some(bytes)) => Source::Binary(bytes),
            (Some(_), Some(_)) => {
                return Err(Fault::bad(format!(
                    "the input {:?} must have \"data\" or \"binary_data_size\", got both",
                    shortened(&name, 100)
                )));
            }
            (None, None) => {
                return Err(Fault::bad(format!(
                    "the input {:?} must have \"data\" or \"binary_data_size\", got neither",
                    shortened(&name, 100)
                )));
            }
        };
        let empty = known_type(Some(&name), &datatype)?;
        let given = Given { name, shape: shape.ok_or_else(|| need("shape"))?, data: Data::empty(empty) };
        Ok((given, source))
    }

    /// The elements of an array, in any nesting.
    fn data(&mut self, name: Option<&str>, datatype: &str) -> Result<Data, Fault> {
        let mut data = Data::empty(known_type(name, datatype)?);
        let peek = self.jiter.peek();
        if self.checked(peek)? != Peek::Array {
            return Err(Fault::bad("\"data\" must be an array of the tensor's elements, row by row"));
        }
        let (first, mut depth) = (self.jiter.known_array(), 1);
        let mut next = self.checked(first)?;
        loop {
            let step = match next {
                Some(Peek::Array) => {
                    depth += 1;
                    if depth > DEEPEST {
                        return Err(Fault::bad(format!("\"data\" must be nested at most {DEEPEST} times")));
                    }
                    self.jiter.known_array()
                }
                Some(peek) => {
                    self.element(peek, &mut data, name)?;
                    self.jiter.array_step()
                }
                None => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(data);
                    }
                    self.jiter.array_step()
                }
            };
            next = self.checked(step)?;
        }
    }

    fn element(&mut self, peek: Peek, data: &mut Data, name: Option<&str>) -> Result<(), Fault> {
        let wrong = |data: &Data| {
            let (what, element) = (named(name), data.element());
            Fault::bad(format!("an element of the {}{what} must be {element}", data.datatype()))
        };
        let read = match (&mut *data, peek) {
            (Data::Fp32(all), peek) if peek.is_num() => {
                self.jiter.known_number_bytes(peek).ok().and_then(parsed).map(|x: f32| all.push(x))
            }
            (Data::Fp64(all), peek) if peek.is_num() => {
                self.jiter.known_number_bytes(peek).ok().and_then(parsed).map(|x: f64| all.push(Some(x)))
            }
            (Data::Uint8(all), peek) if peek.is_num() => {
                self.jiter.known_number_bytes(peek).ok().and_then(parsed).map(|x: u8| all.push(x))
            }
            (Data::Bool(all), Peek::True | Peek::False) => {
                self.jiter.known_bool(peek).ok().map(|x| all.push(Some(x)))
            }
            (Data::Bytes(all), Peek::String) => {
                let text = self.jiter.known_str().map(str::to_owned);
                all.push(Some(self.checked(text)?));
                return Ok(());
            }
            (Data::Fp64(_) | Data::Bool(_) | Data::Bytes(_), Peek::Null) => {
                let null = self.jiter.known_null();
                self.checked(null)?;
                data.push_missing();
                return Ok(());
            }
            _ => None,
        };
        read.ok_or_else(|| wrong(data))
    }
}

/// A number, if it is of this type.
fn parsed<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// " input \"x\"", for errors.
fn named(name: Option<&str>) -> String {
    name.map_or_else(|| " input".to_owned(), |name| format!(" input {:?}", shortened(name, 100)))
}

fn known_type(name: Option<&str>, datatype: &str) -> Result<Datatype, Fault> {
    Datatype::of_name(datatype).ok_or_else(|| {
        Fault::bad(format!(
            "the datatype of the{} must be BOOL, UINT8, FP32, FP64 or BYTES, got {:?}; the model's metadata name the type of each input",
            named(name),
            shortened(datatype, 20)
        ))
    })
}
