//! Asks a saved predictor: images, texts, rows of JSON or CSV files in, answers out.
//!
//! ```sh
//! cargo run --example fashion_mnist                                      # saves fashion.plywood
//! cargo run --example predict -- fashion.plywood fashion-0.png
//! cargo run --example predict -- adult.plywood new.csv.gz --csv > answers.csv
//! cargo run --example predict -- texts.plywood "a small puzzle game"
//! cargo run --example predict -- products.plywood '{"title": "red shoes", "photo": "shoes.png", "price": 39.9}'
//! ```
//!
//! How an image is prepared is part of the file. Fashion-MNIST is light on a dark background, so photos on a light
//! background have to be inverted: `--invert` puts another block in front of the same model.

use plywood::predictor::AnswerValue;
use plywood::prelude::*;
use plywood::preprocessing::Field;
use serde_json::Value;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

const HELP: &str = "\
Asks a predictor, which was saved by another example or program, and prints a line for each answer.

usage: cargo run --example predict -- MODEL.plywood INPUT... [OPTIONS]

An INPUT is what the predictor takes:
  photo.png, photo.jpg       an image, for a predictor that takes an image
  \"some words\"               a text, for a predictor that takes a text
  '{\"age\": 38, \"port\": \"S\"}'  the values of a row as JSON; of an image its file
  rows.csv, rows.csv.gz      a CSV file with the columns that the predictor takes, an answer for each row;
                             also .tsv, .txt
Without an INPUT the program prints what the predictor takes.

  --json            prints each answer as a line of JSON
  --invert          inverts images, black to white, for photos on a light background
  --csv             prints a table: class and probability, labels, or numbers
  --help            shows this help

Images are resized and converted as the file of the predictor says. A predictor for Fashion-MNIST, as saved by
fashion_mnist, takes garments that are light on a dark background: a photo on a light background needs --invert, or the
answer means nothing. To save a predictor for such photos, build it with Image::grey(28, 28).invert(true).";

/// How answers are printed.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Lines,
    Json,
    Csv,
}

fn main() -> Result<()> {
    let (mut form, mut invert, mut rest) = (Form::Lines, false, Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(());
            }
            "--invert" => invert = true,
            "--json" => form = Form::Json,
            "--csv" => form = Form::Csv,
            name if name.starts_with("--") => wrong(&format!("there is no option {name:?}")),
            _ => rest.push(argument),
        }
    }
    let Some((model, inputs)) = rest.split_first() else { wrong("a file with a predictor is needed") };
    let mut predictor = Predictor::load(model)?;
    if invert {
        predictor = inverted(&predictor)?;
    }
    if inputs.is_empty() {
        println!("{model} takes");
        predictor.fields().iter().for_each(|field| println!("  {}: {}", field.name, field.column_type));
        return Ok(());
    }
    let out = BufWriter::new(std::io::stdout().lock());
    let mut printer = Printer { form, several: inputs.len() > 1, out, header: form == Form::Csv };
    for input in inputs {
        if is_table(input, predictor.fields()) {
            let mut row = 0;
            predictor.predict_csv(input, |_, answers| {
                answers.iter().try_for_each(|answer| {
                    row += 1;
                    printer.print(input, Some(row), answer)
                })
            })?;
        } else {
            let answer = row(input, predictor.fields()).and_then(|row| predictor.predict(row));
            printer.print(input, None, &answer.map_err(|error| error.at(input))?)?;
        }
    }
    written(printer.out.flush())
}

fn wrong(message: &str) -> ! {
    eprintln!("{message}\n\n{HELP}");
    std::process::exit(2);
}

/// The same predictor for images on a light background.
fn inverted(predictor: &Predictor) -> Result<Predictor> {
    let (mut changed, mut found) = (predictor.clone(), false);
    for input in predictor.model().inputs() {
        if let Ok(image) = predictor.input_block::<Image>(input.name()) {
            changed = changed.with_input(input.name(), image.clone().invert(true))?;
            found = true;
        }
    }
    match found {
        true => Ok(changed),
        false => Err(Error::argument("--invert", "given to a predictor of images", "one of other inputs")
            .help("Leave it out.")),
    }
}

/// Whether an argument is a CSV file: by its ending; a text may end like one, too.
fn is_table(input: &str, fields: &[Field]) -> bool {
    let name = input.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let is = [".csv", ".tsv", ".txt"].iter().any(|ending| name.ends_with(ending));
    is && (Path::new(input).exists() || !matches!(fields, [Field { column_type: ColumnType::Text, .. }]))
}

/// Makes a row of an argument.
fn row(input: &str, fields: &[Field]) -> Result<Row> {
    if input.starts_with('{') {
        let values: serde_json::Map<String, Value> = serde_json::from_str(input).map_err(|error| {
            Error::format("the row", "be an object of JSON", error).help("Quote it for the shell: '{…}'.")
        })?;
        let is_image =
            |name: &str| fields.iter().any(|f| f.name == name && f.column_type == ColumnType::Image);
        return Ok(values.into_iter().fold(Row::new(), |row, (name, value)| match value {
            Value::String(file) if is_image(&name) => row.with(name, Raw::file(file)),
            Value::Null => row.with(name, Raw::Missing),
            value => row.with(name, value),
        }));
    }
    let [field] = fields else {
        let names: Vec<String> = fields.iter().map(|f| format!("{} ({})", f.name, f.column_type)).collect();
        return Err(Error::data("the input", format!("hold {}", names.join(", ")), "one value")
            .help("Give the row as JSON, '{\"name\": value, …}', or a CSV file."));
    };
    match field.column_type {
        ColumnType::Image => Ok(Raw::file(input).into()),
        ColumnType::Text if Path::new(input).is_file() => {
            let expected = "be a text, or a CSV file (.csv, .tsv, .txt, or these with .gz)";
            Err(Error::data("the input", expected, "another file").help("Give its text as the argument."))
        }
        ColumnType::Text | ColumnType::Category | ColumnType::Date(_) => Ok(Row::from(input)),
        // Numbers and lists of numbers.
        _ => Ok(serde_json::from_str::<Value>(input).map_or_else(|_| Row::from(input), Row::from)),
    }
}

/// Prints answers in a form.
struct Printer<W: Write> {
    form: Form,
    /// Whether lines begin with their input.
    several: bool,
    out: W,
    /// Whether the header is still to be printed.
    header: bool,
}

/// An answer as a line of JSON.
#[derive(serde::Serialize)]
struct Line<'a> {
    input: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<usize>,
    #[serde(flatten)]
    answer: &'a Answer,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, input: &str, row: Option<usize>, answer: &Answer) -> Result<()> {
        let line = match (self.form, row) {
            (Form::Json, _) => serde_json::to_string(&Line { input, row, answer }).map_err(Error::custom)?,
            (Form::Csv, _) => {
                let (names, fields): (Vec<String>, Vec<String>) = fields(answer).into_iter().unzip();
                let header = std::mem::take(&mut self.header).then(|| names.join(",") + "\n");
                header.unwrap_or_default() + &fields.join(",")
            }
            (Form::Lines, Some(row)) if self.several => format!("{input}, row {row}: {answer}"),
            (Form::Lines, None) if self.several => format!("{input}: {answer}"),
            (Form::Lines, _) => answer.to_string(),
        };
        written(writeln!(self.out, "{line}"))
    }
}

/// The columns of an answer in a CSV file, with their names.
fn fields(answer: &Answer) -> Vec<(String, String)> {
    let several = answer.values().len() > 1;
    let mut fields = Vec::new();
    for (output, value) in answer.values() {
        let mut add = |name: &str, text: &str| {
            let name = if several && name != output { format!("{output}_{name}") } else { name.to_owned() };
            fields.push((quoted(&name), quoted(text)));
        };
        match value {
            AnswerValue::Labels(_) => add("labels", &value.labels().join("; ")),
            AnswerValue::Numbers(numbers) => {
                for (i, number) in numbers.iter().enumerate() {
                    let unnamed = if numbers.len() == 1 { "number".into() } else { format!("number_{i}") };
                    add(
                        if number.name.is_empty() { &unnamed } else { &number.name },
                        &number.value.to_string(),
                    );
                }
            }
            value => {
                add("class", value.class().unwrap_or_default()); // empty if it is less probable than the threshold
                add("probability", &value.probability().map_or_else(String::new, |p| p.to_string()));
            }
        }
    }
    fields
}

/// A field of a CSV file, in quotes if it needs them.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

/// Ends the program quietly if nothing reads its output any more, as before `head`.
fn written(result: std::io::Result<()>) -> Result<()> {
    result.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => std::process::exit(0),
        _ => Error::io("write", "the standard output", error),
    })
}
