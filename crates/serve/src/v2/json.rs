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
    let (mut request, mut sources, mut binary) = (Request::default(), Vec::new(), None);
    let mut key = reader.try_key(true)?;
    while let Some(known) = key {
        match known {
            Key::Id => once(&mut request.id, "id", reader.text("id")?)?,
            Key::Inputs if !sources.is_empty() => return Err(twice("inputs")),
            Key::Outputs if !request.outputs.is_empty() => return Err(twice("outputs")),
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
                once(&mut binary, "parameters", parameters.binary_data_output.unwrap_or(false))?;
            }
            _ => reader.skip()?,
        }
        key = reader.try_key(false)?;
    }
    request.binary = binary.unwrap_or(false);
    let end = reader.jiter.current_index();
    Ok((request, sources, end))
}

/// Sets a value that may be there once.
fn once<T>(slot: &mut Option<T>, what: &str, value: T) -> Result<(), Fault> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice(what)),
    }
}

fn twice(what: &str) -> Fault {
    Fault::bad(format!("\"{what}\" must be there once, got it twice"))
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
                Key::BinaryDataSize => {
                    let size = self.whole("binary_data_size")?;
                    once(&mut all.binary_data_size, "binary_data_size", size)?;
                }
                Key::BinaryData => {
                    once(&mut all.binary_data, "binary_data", self.boolean("binary_data")?)?;
                }
                Key::BinaryDataOutput => {
                    let binary = self.boolean("binary_data_output")?;
                    once(&mut all.binary_data_output, "binary_data_output", binary)?;
                }
                Key::Classification => {
                    once(&mut all.classification, "classification", self.whole("classification")?)?;
                }
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
        let (mut name, mut parameters) = (None, None);
        let mut key = self.try_key(true)?;
        while let Some(known) = key {
            match known {
                Key::Name => once(&mut name, "name", self.text("name")?)?,
                Key::Parameters => {
                    let here = [Key::BinaryData, Key::Classification, Key::SharedMemory];
                    once(&mut parameters, "parameters", self.parameters(&here)?)?;
                }
                _ => self.skip()?,
            }
            key = self.try_key(false)?;
        }
        let name = name.ok_or_else(|| Fault::bad("each of \"outputs\" must have a \"name\""))?;
        let Parameters { classification, binary_data: binary, .. } = parameters.unwrap_or_default();
        Ok(Wanted { name, classification, binary })
    }

    fn input(&mut self) -> Result<(Given, Source), Fault> {
        let (mut name, mut datatype, mut shape, mut parameters) = (None, None, None, None);
        // The data, or where they begin if their type is not known yet.
        let (mut data, mut later) = (None, None);
        let mut key = self.try_key(true)?;
        while let Some(known) = key {
            match known {
                Key::Name => once(&mut name, "name", self.text("name")?)?,
                Key::Datatype => once(&mut datatype, "datatype", self.text("datatype")?)?,
                Key::Shape => {
                    let mut sides = Vec::new();
                    self.each("shape", |reader| {
                        sides.push(reader.whole("shape")?);
                        Ok(())
                    })?;
                    once(&mut shape, "shape", sides)?;
                }
                Key::Parameters => {
                    let here = [Key::BinaryDataSize, Key::SharedMemory];
                    once(&mut parameters, "parameters", self.parameters(&here)?)?;
                }
                Key::Data => {
                    once(&mut later, "data", self.jiter.current_index())?;
                    match &datatype {
                        Some(datatype) => data = Some(self.data(name.as_deref(), datatype)?),
                        None => self.skip()?,
                    }
                }
                _ => self.skip()?,
            }
            key = self.try_key(false)?;
        }
        let need = |what: &str| Fault::bad(format!("each of \"inputs\" must have a {what:?}"));
        let (name, datatype) = (name.ok_or_else(|| need("name"))?, datatype.ok_or_else(|| need("datatype"))?);
        if let (Some(begin), None) = (later, &data) {
            let json = &self.json[begin..];
            let mut reader = Reader { json, jiter: Jiter::new(json).with_allow_inf_nan() };
            data = Some(reader.data(Some(&name), &datatype)?);
        }
        let shape = shape.ok_or_else(|| need("shape"))?;
        let source = match (data, parameters.and_then(|parameters| parameters.binary_data_size)) {
            (Some((data, nesting)), None) => {
                check_nesting(&name, &nesting, &shape)?;
                Source::Json(data)
            }
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
        let given = Given { name, shape, data: Data::empty(empty) };
        Ok((given, source))
    }

    /// The elements of an array, and the sides of its nesting.
    fn data(&mut self, name: Option<&str>, datatype: &str) -> Result<(Data, Vec<usize>), Fault> {
        let ragged = || Fault::bad("\"data\" must be nested evenly: all arrays beside each other as long");
        let mut data = Data::empty(known_type(name, datatype)?);
        let peek = self.jiter.peek();
        if self.checked(peek)? != Peek::Array {
            return Err(Fault::bad("\"data\" must be an array of the tensor's elements, row by row"));
        }
        // The items of the open array so far, and of those around it: in [[1, 2], [3, 4, behind the 3, items is 1 and around
        // is [2]. The sides of the depths that were closed: [_, 2]. The depth of the elements: 1.
        let (mut items, mut around) = (0, Vec::new());
        let (mut sides, mut depth) = ([None; DEEPEST], None);
        let first = self.jiter.known_array();
        let mut next = self.checked(first)?;
        loop {
            let step = match next {
                Some(Peek::Array) => {
                    around.push(items + 1);
                    items = 0;
                    if around.len() >= DEEPEST {
                        return Err(Fault::bad(format!("\"data\" must be nested at most {DEEPEST} times")));
                    }
                    self.jiter.known_array()
                }
                Some(peek) => {
                    items += 1;
                    if *depth.get_or_insert(around.len()) != around.len() {
                        return Err(ragged());
                    }
                    self.element(peek, &mut data, name)?;
                    self.jiter.array_step()
                }
                None => {
                    let side = &mut sides[around.len()];
                    if side.replace(items).is_some_and(|before| before != items) {
                        return Err(ragged());
                    }
                    let Some(before) = around.pop() else {
                        return Ok((data, sides.into_iter().map_while(|side| side).collect()));
                    };
                    items = before;
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

/// Checks that data in a nesting have the nesting of their shape, where sides of 1 do not count. Data in one list have any shape.
fn check_nesting(name: &str, nesting: &[usize], shape: &[usize]) -> Result<(), Fault> {
    let sides = |all: &[usize]| all.iter().copied().filter(|&side| side != 1).collect::<Vec<_>>();
    match nesting.len() > 1 && sides(nesting) != sides(shape) {
        true => Err(Fault::bad(format!(
            "the nesting of the data of the input {:?} must be that of its shape {:?}, got {nesting:?}; a list without nesting will do",
            shortened(name, 100),
            shape.iter().take(16).collect::<Vec<_>>()
        ))),
        false => Ok(()),
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
