//! Predictors: raw values in, answers out, in this process and in another.

use plywood::data::{Column, Fit, Pixels, Table};
use plywood::ndarray::{Array2, Array3, arr2};
use plywood::nn::InferRegistry;
use plywood::predictor::{AnswerValue, Blocks, Prepared, Raw, Row};
use plywood::prelude::*;
use plywood::preprocessing::{Features, Image, TextEncoder};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder in which a child finds `model.plywood` and `rows.json`, and writes `outputs`.
const FOLDER: &str = "PLYWOOD_TEST_PREDICTOR";

/// In a child: answers the rows of the folder, and writes the bits of the outputs and the answers as texts.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let predictor = Predictor::load(folder.join("model.plywood")).unwrap();
    let rows = std::fs::read_to_string(folder.join("rows.json")).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&rows).unwrap();
    let rows: Vec<Row> = rows.into_iter().map(|row| raw_row(&folder, &row)).collect();
    std::fs::write(folder.join("outputs"), outputs(&predictor, &rows)).unwrap();
}

/// A row of JSON, in which `{"file": name}` is an image file of the folder.
fn raw_row(folder: &Path, row: &serde_json::Value) -> Row {
    match row.get("file").and_then(|name| name.as_str()) {
        Some(name) => Raw::image(std::fs::read(folder.join(name)).unwrap()).into(),
        None => row.into(),
    }
}

/// The bits of all outputs, and the answers.
fn outputs(predictor: &Predictor, rows: &[Row]) -> String {
    let prepared = predictor.prepare(rows).unwrap();
    let predictions = predictor.infer(&prepared).unwrap();
    let mut text = String::new();
    for name in predictions.names() {
        let bits: Vec<u32> = predictions.get(name).unwrap().iter().map(|x| x.to_bits()).collect();
        text += &format!("{name} {bits:?}\n");
    }
    for answer in predictor.answer(&predictions, prepared.notes().to_vec()).unwrap() {
        text += &format!("{answer}\n{}\n", serde_json::to_string(&answer).unwrap());
    }
    text
}

/// Saves a predictor and rows, lets a child answer them, and compares its answers with those of this process.
pub fn answers_in_another_process(
    name: &str,
    predictor: &Predictor,
    rows: &[serde_json::Value],
    files: &[(&str, Vec<u8>)],
) {
    let folder = crate::folder::Folder::new(name);
    predictor.save(folder.file("model.plywood")).unwrap();
    std::fs::write(folder.file("rows.json"), serde_json::to_string(rows).unwrap()).unwrap();
    for (file, bytes) in files {
        std::fs::write(folder.file(file), bytes).unwrap();
    }
    let here: Vec<Row> = rows.iter().map(|row| raw_row(&folder.0, row)).collect();
    let expected = outputs(predictor, &here);
    let mut command = Command::new(std::env::current_exe().unwrap());
    let ran = command.args(["predictors::child", "--exact"]).env(FOLDER, &folder.0).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    assert_eq!(std::fs::read_to_string(folder.file("outputs")).unwrap(), expected);
}

fn garments() -> Sequential {
    Sequential::builder([28, 28])
        .seed(3)
        .layer(Flatten)
        .layer(Dense::units(16))
        .layer(ReLU)
        .layer(Dense::units(3))
        .layer(Softmax)
        .build()
        .unwrap()
}

fn of_garments() -> Predictor {
    let classes = Classes::named(["shirt", "shoe", "bag"]);
    Predictor::new(garments()).input(Image::grey(28, 28)).output(classes).build().unwrap()
}

fn drawn(size: [usize; 3]) -> Array3<u8> {
    let mut draws = Random::seed(5).at(0, 0);
    Array3::from_shape_simple_fn(size, || draws.below(256) as u8)
}

#[test]
fn pixels_are_answered_as_the_data_set_was_predicted() {
    let images = drawn([40, 28, 28]);
    let data = ArrayDataset::new(images.clone(), vec![0; 40]).unwrap().scale(1.0 / 255.0);
    let expected = evaluate::predictions(&garments(), &data).unwrap();
    let predictor = of_garments();
    let pixels = images
        .outer_iter()
        .map(|image| Row::from(Pixels::grey([28, 28], image.iter().copied().collect::<Vec<u8>>()).unwrap()));
    let rows: Vec<Row> = pixels.collect();
    let found = predictor.infer(&predictor.prepare(&rows).unwrap()).unwrap();
    assert_eq!(found.get("output").unwrap(), expected.get("output").unwrap());
    let answers = predictor.predict_many(rows).unwrap();
    for (answer, row) in answers.iter().zip(expected.get("output").unwrap().outer_iter()) {
        assert!(answer.notes().is_empty());
        let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        assert_eq!(
            (answer.class(), answer.probability()),
            (Some(["shirt", "shoe", "bag"][best.0]), Some(*best.1))
        );
        let AnswerValue::Class { ranked, none: false } = answer.get("output").unwrap() else {
            panic!("{answer}")
        };
        assert!(ranked.len() == 3 && ranked[0].1 >= ranked[1].1 && ranked[1].1 >= ranked[2].1);
    }
}

#[cfg(all(feature = "images", feature = "plots"))]
#[test]
fn an_image_file_is_answered_in_another_process() {
    let (image, colours) = (drawn([1, 28, 28]), drawn([30, 40, 3]));
    let grey: Vec<u8> = image.iter().copied().collect();
    let mut png = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_raw(28, 28, grey.clone())
        .unwrap()
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    let mut photo = std::io::Cursor::new(Vec::new());
    let rgb = image::RgbImage::from_raw(40, 30, colours.iter().copied().collect()).unwrap();
    rgb.write_to(&mut photo, image::ImageFormat::Jpeg).unwrap();
    let files = [("a.png", png.into_inner()), ("b.jpg", photo.into_inner())];
    let predictor = of_garments();
    let rows = [serde_json::json!({"file": "a.png"}), serde_json::json!({"file": "b.jpg"})];
    answers_in_another_process("predictor-image", &predictor, &rows, &files);

    let own = predictor.predict(Pixels::grey([28, 28], grey).unwrap()).unwrap();
    assert_eq!(predictor.predict(Raw::image(&files[0].1)).unwrap().to_string(), own.to_string());
    let answer = predictor.predict(Raw::image(&files[1].1)).unwrap();
    let notes: Vec<String> = answer.notes().iter().map(|note| note.to_string()).collect();
    assert_eq!(notes, ["input was resized from 30 x 40", "input was converted between grey and colours"]);
    let error = predictor.predict(Raw::image(&files[0].1[..50])).unwrap_err().to_string();
    assert!(
        error.starts_with("prepare, row 1, column \"input\": the image must be a PNG or JPEG image, got"),
        "{error}"
    );
}

#[test]
fn texts_are_answered_in_another_process() {
    let texts = ["a fast library", "a library for images", "a slow game for two"];
    let vocabulary = Vocabulary::of(Tokenizer::words()).min_count(1).fit(&texts).unwrap();
    let model = Sequential::builder([4])
        .layer(EmbeddingBag::vocabulary(vocabulary.len(), 8).padding(Vocabulary::PADDING))
        .layer(Dense::units(2))
        .layer(Softmax)
        .build()
        .unwrap();
    let ids = vocabulary.encode(&texts, 4).unwrap();
    let expected = model.predict(&ids).unwrap();
    let encoder = TextEncoder::new(vocabulary, 4).column("title");
    let predictor =
        Predictor::new(model).input(encoder).output(Classes::named(["tool", "toy"])).build().unwrap();
    let prepared = predictor.prepare(&texts.map(Row::from)).unwrap();
    assert_eq!(predictor.infer(&prepared).unwrap().get("output").unwrap(), &expected);
    let mut rows: Vec<serde_json::Value> =
        texts.iter().map(|text| serde_json::json!({"title": text})).collect();
    rows.extend([
        serde_json::json!({"title": null}),
        serde_json::json!({"title": "?!"}),
        serde_json::json!({"title": "zz"}),
    ]);
    answers_in_another_process("predictor-text", &predictor, &rows, &[]);
    let notes = |row: &serde_json::Value| {
        predictor.predict(row).unwrap().notes().iter().map(|n| n.to_string()).collect::<Vec<_>>()
    };
    assert!(notes(&rows[0]).is_empty() && notes(&rows[1]).is_empty());
    assert_eq!(notes(&rows[2]), ["title was truncated, it has 5 tokens"]);
    assert_eq!(notes(&rows[3]), ["title was missing"]);
    assert_eq!(
        (notes(&rows[4]), notes(&rows[5])),
        (notes(&rows[4]), vec!["title has no known word".to_owned()])
    );
    // A column of categories holds texts, too.
    let table = Table::new([Column::categories("title", texts.map(Some))]).unwrap();
    assert_eq!(predictor.predict_table(&table).unwrap().len(), 3);
}

#[test]
fn what_is_missing_or_of_another_type_is_an_error_that_names_it() {
    let predictor = of_garments();
    let text = |row: Row| predictor.predict(row).unwrap_err().to_string();
    let named = "prepare: row 1 must have a value \"input\", got";
    assert_eq!(text(Row::new()), format!("{named} nothing. Give it by this name, or as the only value."));
    let other = Row::new().with("photo", Raw::Missing);
    assert!(text(other).starts_with(&format!("{named} photo.")));
    assert!(
        text(Row::new().with("input", Raw::Missing))
            .contains("row 1, column \"input\" must have an image, got nothing.")
    );
    let path = text("photo.png".into());
    assert!(
        path.starts_with(
            "prepare: row 1, \"input\" must be an image, got the text \"photo.png\". Give `Raw::file(path)`"
        ),
        "{path}"
    );
    for (row, found) in [
        (serde_json::json!({"input": {"a": 1}}), "an object inside of a value"),
        (serde_json::json!({"input": [[1, 2], [3]]}), "lists of different lengths in a list"),
        (serde_json::json!({"input": ["a"]}), "the text \"a\" in a list"),
        (
            serde_json::json!({"input": 9_007_199_254_740_993i64}),
            "the whole number 9007199254740993, which is too large to be exact",
        ),
    ] {
        let error = text(row.into());
        let expected = format!("prepare: row 1, \"input\" must be an image, got {found}. Give");
        assert!(error.starts_with(&expected), "{error}");
    }
    assert!(text(f64::INFINITY.into()).contains("got an infinite number"));
    let photo = || Row::new().with("input", Pixels::grey([28, 28], vec![0; 784]).unwrap());
    let twice = photo().with("input", 2);
    assert!(text(twice).contains("got two values of one name"));
    let within = Row::new().with("input", serde_json::json!({}));
    assert!(text(within).contains("got a row in place of a value"));
    // What the predictor does not take is not looked at.
    assert!(predictor.predict(photo().with("a", 1).with("a", f64::INFINITY)).is_ok());
    let many = predictor.predict_many([Row::from(Pixels::grey([1, 1], vec![3]).unwrap()), Row::from("x")]);
    assert!(many.unwrap_err().to_string().contains("row 2, \"input\""));
    assert!(predictor.predict_many(Vec::<Row>::new()).unwrap().is_empty());
}

#[test]
fn blocks_that_do_not_fit_the_model_are_errors_before_anything_runs() {
    let text = |builder: plywood::predictor::PredictorBuilder| builder.build().unwrap_err().to_string();
    let model = garments;
    let classes = || Classes::named(["a", "b", "c"]);
    let start = || Predictor::new(model());
    assert!(text(start()).contains("the blocks of the inputs must be one for each, got none for \"input\""));
    assert!(
        text(start().input(Image::grey(28, 28))).contains("the blocks of the outputs must be one for each")
    );
    let wrong = text(start().input(Image::rgb(28, 28)).output(classes()));
    assert!(
        wrong
            .contains("what the block makes must have shape [28, 28], as the model's input, got [3, 28, 28]"),
        "{wrong}"
    );
    let image = || start().input(Image::grey(28, 28));
    assert!(text(image().input(Image::grey(28, 28)).output(classes())).contains("two for \"input\""));
    assert!(
        text(image().output(Classes::named(["a", "b"])))
            .contains("must have shape [2], one number for each class, got [3]")
    );
    assert!(text(image().output(Classes::named(["a", "b", "a"]))).contains("\"a\" twice"));
    assert!(
        text(image().output(classes().threshold(1.5)))
            .contains("the threshold must be a probability from 0 to 1, got 1.5")
    );
    let labels = text(image().output(Labels::named(["a", "b", "c"])));
    assert!(labels.contains("must be that of a sigmoid or a linear layer, got Softmax"), "{labels}");
    assert!(
        text(image().output_named("y", classes()))
            .contains("must be one of the model's outputs: output, got \"y\"")
    );
    assert!(text(start().input(Image::grey(0, 28)).output(classes())).contains("the block"));
    let relu = Sequential::builder([2]).layer(Dense::units(3)).layer(ReLU).build().unwrap();
    let unsaid = Predictor::new(relu.clone()).input(Image::grey(1, 2)).output(classes());
    assert!(text(unsaid).contains("must have shape [2], as the model's input, got [1, 2]"));
}

#[test]
fn logits_get_their_softmax_and_a_sigmoid_is_two_classes() {
    let layers = |units| Sequential::builder([2]).seed(1).layer(Dense::units(units));
    let x = arr2(&[[0.3f32, -2.0]]);
    let answer = |model: Sequential, names: &[&str]| {
        let predictor = Predictor::new(model).input(Features::of_shape([2])).output(Classes::named(names));
        predictor.build().unwrap().predict([0.3f32, -2.0]).unwrap()
    };
    let soft = layers(3).layer(Softmax).build().unwrap();
    let expected = soft.predict(&x).unwrap();
    let largest = expected.iter().copied().fold(0.0, f32::max);
    for model in [soft, layers(3).build().unwrap()] {
        assert_eq!(answer(model, &["a", "b", "c"]).probability(), Some(largest));
    }
    let logarithms = answer(layers(3).layer(LogSoftmax).build().unwrap(), &["a", "b", "c"]).probability();
    assert!((logarithms.unwrap() - largest).abs() < 1e-6);
    let sigmoid = layers(1).layer(Sigmoid).build().unwrap();
    let p = sigmoid.predict(&x).unwrap()[[0, 0]];
    for model in [sigmoid, layers(1).build().unwrap()] {
        let answer = answer(model, &["no", "yes"]);
        assert_eq!(
            (answer.class(), answer.probability()),
            (Some(if p > 0.5 { "yes" } else { "no" }), Some(p.max(1.0 - p)))
        );
    }
}

#[test]
fn the_model_of_a_predictor_is_read_alone_and_put_back() {
    let predictor = of_garments();
    let bytes = predictor.to_bytes().unwrap();
    let registry = Registry::<f32>::builtin();
    let model = Sequential::<f32>::from_bytes(&bytes, &registry).unwrap();
    let x = Array2::<f32>::ones((2, 784)).into_shape_with_order((2, 28, 28)).unwrap();
    assert_eq!(model.predict(&x).unwrap(), garments().predict(&x).unwrap());
    let small =
        InferRegistry::<f32>::empty().with::<Flatten>().with::<Dense>().with::<ReLU>().with::<Softmax>();
    assert_eq!(small.from_bytes(&bytes).unwrap().predict(&x).unwrap(), model.predict(&x).unwrap());
    let again = Predictor::infer_from_bytes(&bytes, &small, &Blocks::builtin()).unwrap();
    assert_eq!(again.to_bytes().unwrap(), bytes);
    assert_eq!(again.with_model(model).unwrap().to_bytes().unwrap(), bytes);
    let plain = Predictor::from_bytes(&garments().to_bytes().unwrap(), &registry, &Blocks::builtin());
    assert!(plain.unwrap_err().to_string().starts_with("the file must be a predictor, got a model."));
    let unknown = Predictor::from_bytes(&bytes, &registry, &Blocks::empty()).unwrap_err().to_string();
    assert!(unknown.starts_with("the kind of a block must be one of , got \"image\"."), "{unknown}");
}

#[test]
fn prepared_rows_are_joined_and_split() {
    let predictor = of_garments();
    let image =
        |value: u8, size: usize| Row::from(Pixels::grey([size, size], vec![value; size * size]).unwrap());
    let alone: Vec<String> = [image(9, 28), image(80, 30), image(200, 28)]
        .map(|row| predictor.predict(row).unwrap().to_string())
        .into();
    let first = predictor.prepare(&[image(9, 28)]).unwrap();
    let second = predictor.prepare(&[image(80, 30), image(200, 28)]).unwrap();
    let all = Prepared::join(&[first.clone(), second.clone()]).unwrap();
    assert_eq!(all.rows(), 3);
    assert_eq!(all.notes()[0].row, 1);
    let outputs = predictor.infer(&all).unwrap();
    let answers = predictor.answer(&outputs, all.notes().to_vec()).unwrap();
    assert_eq!(answers.iter().map(|answer| answer.to_string()).collect::<Vec<_>>(), alone);
    let own = predictor.answer(&outputs.rows(1..3).unwrap(), second.notes().to_vec()).unwrap();
    assert_eq!(own.iter().map(|answer| answer.to_string()).collect::<Vec<_>>(), alone[1..]);
    assert!(
        outputs.rows(2..4).unwrap_err().to_string().starts_with("the rows must be within the 3 predictions")
    );

    // Tensors that need no preparation, and what cannot be joined.
    let tensor = first.get("input").unwrap().clone();
    let same = Prepared::of_tensors([("input", tensor.clone())]).unwrap();
    assert_eq!(
        predictor.infer(&same).unwrap().get("output").unwrap(),
        outputs.rows(0..1).unwrap().get("output").unwrap()
    );
    let other = Prepared::of_tensors([("other", tensor.clone())]).unwrap();
    let text = Prepared::join(&[first.clone(), other]).unwrap_err().to_string();
    assert!(text.starts_with("the inputs of the rows to join must be input, got other"), "{text}");
    assert!(Prepared::join(&[]).is_err());
    let rows = [("input", tensor), ("other", second.get("input").unwrap().clone())];
    let text = Prepared::of_tensors(rows).unwrap_err().to_string();
    assert!(text.starts_with("the input \"other\" must have 1 rows as the first, got 2"), "{text}");
}

#[test]
fn probabilities_of_all_classes_are_in_the_order_of_their_names() {
    let predictor = of_garments();
    let prepared = predictor.prepare(&[Row::from(Pixels::grey([28, 28], vec![80; 784]).unwrap())]).unwrap();
    let outputs = predictor.infer(&prepared).unwrap();
    let all = predictor.probabilities(&outputs, "output").unwrap();
    assert_eq!(
        all.iter().copied().collect::<Vec<f32>>(),
        outputs.get("output").unwrap().iter().copied().collect::<Vec<f32>>()
    );
    let answer = predictor.answer(&outputs, Vec::new()).unwrap().remove(0).top(1);
    assert_eq!(answer.probability(), all.iter().copied().reduce(f32::max));
    let AnswerValue::Class { ranked, .. } = answer.get("output").unwrap() else { panic!("classes") };
    assert_eq!(ranked.len(), 1);

    // One number for two classes; labels; numbers have none.
    let of = |output: usize, last: bool| {
        let builder = Sequential::builder([2]).seed(3).layer(Dense::units(output));
        let model = if last { builder.layer(Sigmoid).build() } else { builder.build() };
        Predictor::new(model.unwrap()).input(Features::of_shape([2]))
    };
    let binary = of(1, true).output(Classes::named(["no", "yes"])).build().unwrap();
    let outputs = binary.infer(&binary.prepare(&[Row::from([1.0, 2.0])]).unwrap()).unwrap();
    let yes = outputs.get("output").unwrap()[[0, 0]];
    assert_eq!(
        binary.probabilities(&outputs, "output").unwrap(),
        plywood::ndarray::arr2(&[[1.0 - yes, yes]])
    );
    let labels = of(2, true).output(Labels::named(["a", "b"])).build().unwrap();
    let outputs = labels.infer(&labels.prepare(&[Row::from([1.0, 2.0])]).unwrap()).unwrap();
    assert_eq!(labels.probabilities(&outputs, "output").unwrap().into_dyn(), *outputs.get("output").unwrap());
    let numbers = of(2, false).output(Numbers::unnamed()).build().unwrap();
    let outputs = numbers.infer(&numbers.prepare(&[Row::from([1.0, 2.0])]).unwrap()).unwrap();
    let text = numbers.probabilities(&outputs, "output").unwrap_err().to_string();
    assert!(text.contains("one of classes or labels"), "{text}");
    assert!(numbers.probabilities(&outputs, "other").is_err());

    let model = Sequential::builder([2]).layer(Dense::units(2)).build().unwrap();
    assert!(Predictor::is_in(&predictor.to_bytes().unwrap()));
    assert!(!Predictor::is_in(&model.to_bytes().unwrap()) && !Predictor::is_in(b"no file"));
}

#[test]
fn channels_are_normalized_as_by_hand() {
    let (mean, std) = ([0.5, 0.25, 0.1], [0.2, 0.3, 0.4]);
    let image = drawn([6, 8, 3]);
    let pixels = Pixels::rgb([6, 8], image.iter().copied().collect::<Vec<u8>>()).unwrap();
    let model =
        Sequential::builder([3, 6, 8]).layer(Flatten).layer(Dense::units(2)).layer(Softmax).build().unwrap();
    let block = Image::rgb(6, 8).fit(Fit::Crop).normalize(mean, std);
    let predictor = Predictor::new(model).input(block).output(Classes::named(["a", "b"])).build().unwrap();
    let prepared = predictor.prepare(&[pixels.into()]).unwrap();
    let tensor = prepared.get("input").unwrap();
    for ((row, column, channel), &byte) in image.indexed_iter() {
        let expected = (f64::from(byte) / 255.0 - mean[channel]) / std[channel];
        let found = f64::from(tensor[[0, channel, row, column]]);
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

/// A predictor with every kind of block, of initial weights.
fn with_all_blocks() -> Predictor {
    use plywood::preprocessing::{CategoryIds, Columns, Scaling};
    let table = plywood::data::Csv::bytes(
        "golden.csv",
        "x,y,port,fine,since,note\n1,0.5,S,yes,2024-01-31,a good deal here\n2,7,C,no,2024-02-28,a bad one for you\n\
         3,,S,,2023-07-01,a deal is a deal\n4,9,,yes,,no deal for us\n",
    )
    .column("note", plywood::data::ColumnType::Text)
    .read()
    .unwrap();
    let row = Columns::all_but(["note"])
        .column("y", |c| c.scaling(Scaling::Quantile { quantiles: 3 }))
        .fit(&table.whole())
        .unwrap();
    let port = CategoryIds::column("port").min_count(1).fit(&table.whole()).unwrap();
    let note = Text::column("note").min_count(1).length(3).fit(&table.whole()).unwrap();
    let g = Graph::builder().seed(4);
    let rows = g.input("row", [row.width()]);
    let ports = g.input("port", []).layer(Embedding::vocabulary(port.len(), 2));
    let notes = g.input("note", [3]).layer(EmbeddingBag::vocabulary(note.vocabulary().len(), 2).padding(0));
    let photo = g.input("photo", [1, 2, 3]).layer(Flatten);
    let all = rows.concat(&[ports, notes, photo, g.input("size", [2])], -1);
    g.output("class", all.layer(Dense::units(3)).layer(Softmax));
    g.output("labels", all.layer(Dense::units(2)).layer(Sigmoid));
    g.output("price", all.layer(Dense::units(1)));
    let normalizer = Normalizer::standard().fit_tensor(&arr2(&[[1.0f32], [3.0]]).into_dyn()).unwrap();
    Predictor::new(g.build().unwrap())
        .input_named("row", row)
        .input_named("port", port)
        .input_named("note", note)
        .input_named("photo", Image::grey(2, 3).with_channel().fit(Fit::Pad(7)).normalize([0.5], [0.25]))
        .input_named("size", Features::of_shape([2]).column("size"))
        .output_named("class", Classes::named(["a", "b", "c"]).top(2).threshold(0.1))
        .output_named("labels", Labels::named(["p", "q"]).thresholds([0.25, 0.5]))
        .output_named("price", Numbers::named(["price"]).unit("€").log().normalizer(normalizer))
        .csv_form(table.form().unwrap())
        .build()
        .unwrap()
}

/// Files of every released version of the format must stay readable. `PLYWOOD_GOLDEN=write` writes those of a new version.
#[test]
fn a_golden_predictor_is_read_and_answers_as_when_it_was_written() {
    let path = PathBuf::from(crate::ROOT).join("tests/golden/v8.predictor");
    if std::env::var("PLYWOOD_GOLDEN").is_ok_and(|value| value == "write") {
        with_all_blocks().save(&path).unwrap();
    }
    let (predictor, again) = (Predictor::load(&path).unwrap(), with_all_blocks());
    assert_eq!(predictor.fields(), again.fields());
    assert_eq!(predictor.to_bytes().unwrap(), again.to_bytes().unwrap());
    assert_eq!(predictor.csv_form(), again.csv_form());
    let photo = Pixels::rgba([2, 2], (0..16).map(|i| i * 15).collect::<Vec<u8>>()).unwrap();
    let row = Row::new()
        .with("x", 9)
        .with("y", 0.25)
        .with("port", "Q")
        .with("fine", true)
        .with("since", "2024-03-01")
        .with("note", "a deal ?")
        .with("photo", photo)
        .with("size", [0.5, 1.5]);
    let notes: Vec<String> =
        predictor.predict(row).unwrap().notes().iter().map(|note| note.to_string()).collect();
    assert_eq!(
        notes,
        [
            "x 9 is beyond the range of training",
            "y 0.25 is beyond the range of training",
            "port \"Q\" is unknown",
            "since 2024-03-01 is beyond the range of training",
            "photo was resized from 2 x 2",
            "photo was converted between grey and colours",
            "photo was transparent and laid on the background",
        ]
    );
}

/// Errors and notes count the rows of the whole, behind a piece and after a selection.
#[test]
fn errors_name_the_row_of_the_whole() {
    let model = Sequential::builder([1])
        .layer(Dense::units(2).initializer(Initializer::Constant(1.0)))
        .layer(Softmax);
    let predictor = Predictor::new(model.build().unwrap())
        .input(Features::named(["x"]))
        .output(Classes::named(["a", "b"]));
    let predictor = predictor.build().unwrap();
    let numbers = |at: usize, x: f64| (0..9_000).map(move |row| if row == at { x } else { 1.0 });
    // Finite in f32, and NaN in the softmax of infinite logits.
    let table = Table::new([Column::numbers("x", numbers(8_195, 3e38)).unwrap()]).unwrap();
    let large = Sequential::builder([1])
        .layer(Dense::units(2).initializer(Initializer::Constant(9.0)))
        .layer(Softmax);
    let large = predictor.with_model(large.build().unwrap()).unwrap();
    let error = large.predict_table(&table).unwrap_err().to_string();
    assert!(error.contains("the output for row 8196 must be a number, got NaN."), "{error}");
    let gap = Table::new([Column::numbers("x", numbers(8_195, f64::NAN)).unwrap()]).unwrap();
    for table in [gap.clone(), gap.select(&[3, 8_195, 7]).unwrap()] {
        let error = predictor.predict_table(&table).unwrap_err().to_string();
        assert!(error.contains("row 8196, column \"x\" must have a value, got a missing one."), "{error}");
    }
}

#[cfg(feature = "images")]
#[test]
fn images_of_a_file_are_found_beside_it_and_named_by_their_row() {
    let folder = crate::folder::Folder::new("predictor-photos");
    let mut png = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_raw(28, 28, vec![9; 784])
        .unwrap()
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    folder.write("photos/a.png", png.get_ref());
    folder.write("photos/broken.png", &png.get_ref()[..60]);
    let predictor = of_garments();
    let csv = |lines: &str| folder.write("list.csv", format!("input,id\n{lines}").as_bytes());
    let path = csv("photos/a.png,1\nphotos/a.png,2\n");
    let mut classes = Vec::new();
    let rows = predictor.predict_csv(&path, |_, answers| {
        classes.extend(answers.iter().map(|answer| answer.class().map(str::to_owned)));
        Ok(())
    });
    assert_eq!((rows.unwrap(), classes.len()), (2, 2));
    for (lines, expected) in [
        ("photos/a.png,1\nphotos/none.png,2\n", "row 2, column \"input\": could not read"),
        ("photos/a.png,1\nphotos/a.png,2\nphotos/broken.png,3\n", "row 3, column \"input\": "),
        ("photos/a.png,1\n,2\n", "row 2, column \"input\" must have an image, got nothing."),
    ] {
        let error = predictor.predict_csv(csv(lines), |_, _| Ok(())).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn numbers_are_answered_in_another_process() {
    let numbers = arr2(&[[5.1f32, 3.5, 1.4], [7.0, 3.2, 4.7], [6.3, 3.3, 6.0]]);
    let normalizer = Normalizer::standard().fit_tensor(&numbers.clone().into_dyn()).unwrap();
    let model = Sequential::builder([3])
        .seed(2)
        .layer(Dense::units(4))
        .layer(Tanh)
        .layer(Dense::units(2))
        .build()
        .unwrap();
    let expected = model.predict(&normalizer.transform(numbers.clone().into_dyn()).unwrap()).unwrap();
    let answers = Numbers::named(["width", "height"]).unit("cm");
    let features = Features::named(["a", "b", "c"]).normalizer(normalizer.clone()).unwrap();
    let named = Predictor::new(model.clone()).input(features).output(answers.clone()).build().unwrap();
    let array = Features::of_shape([3]).normalizer(normalizer).unwrap();
    let whole = Predictor::new(model).input(array).output(answers).build().unwrap();
    let rows: Vec<serde_json::Value> =
        numbers.outer_iter().map(|row| serde_json::json!({"a": row[0], "b": row[1], "c": row[2]})).collect();
    answers_in_another_process("predictor-numbers", &named, &rows, &[]);
    let lists: Vec<serde_json::Value> =
        numbers.outer_iter().map(|row| serde_json::json!(row.to_vec())).collect();
    answers_in_another_process("predictor-array", &whole, &lists, &[]);
    for (predictor, rows) in [(&named, &rows), (&whole, &lists)] {
        let rows: Vec<Row> = rows.iter().map(Row::from).collect();
        assert_eq!(
            predictor.infer(&predictor.prepare(&rows).unwrap()).unwrap().get("output").unwrap(),
            &expected
        );
    }
}
