//! Figures: golden SVG files, and unusual inputs.
//!
//! `tests/plots/*.svg` are the figures as they were last reviewed. After an intended change, `PLYWOOD_BLESS=1 cargo
//! test plots::` rewrites them, and writes the same figures as PNG to `target/plots`. Look at each one before you
//! commit it. Embedded images (`data:`) are not compared, because another version of the compressor may encode them
//! differently; their pixels are tested with the PNG writer.

use plywood::metrics::{CalibrationBin, ConfusionMatrix, ErrorAnalysis, RocCurve};
use plywood::plot::{self, Bars, Chart, Figure};
use plywood::prelude::*;
use plywood::train::GradientTrace;
use std::fs;
use std::path::Path;

const GARMENTS: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Returns a pseudorandom number from 0 to 1 that is the same on every platform.
fn noise(i: usize) -> f64 {
    let x = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f64 / (1u64 << 24) as f64
}

/// Returns a history with these names and values.
fn made(names: &[&str], epochs: usize, value: impl Fn(usize, usize) -> f64) -> History {
    let epochs: Vec<_> = (0..epochs)
        .map(|e| {
            let values: Vec<_> = names.iter().enumerate().map(|(i, name)| (name, value(i, e))).collect();
            let way = |name: &&str| if name.ends_with("accuracy") { "Higher" } else { "Lower" };
            let ways: Vec<_> = names.iter().map(way).collect();
            serde_json::json!({
                "number": e + 1, "values": values, "directions": ways, "learning_rate": 0.01, "seconds": 1.0
            })
        })
        .collect();
    serde_json::from_value(serde_json::json!({ "epochs": epochs })).unwrap()
}

fn falling(e: usize, least: f64, rise: f64) -> f64 {
    least + 0.45 / (1.0 + e as f64) + rise * e as f64 + 0.012 * noise(e * 7)
}

fn run() -> History {
    made(&["loss", "accuracy", "val_loss", "val_accuracy"], 12, |i, e| match i {
        0 => falling(e, 0.22, -0.008),
        1 => 1.0 - falling(e, 0.08, -0.003) * 0.45,
        2 => falling(e, 0.29, 0.006),
        _ => 1.0 - falling(e, 0.24, 0.002) * 0.42,
    })
}

fn matrix(classes: usize, samples: usize) -> ConfusionMatrix {
    let truth: Vec<usize> = (0..samples).map(|i| i % classes).collect();
    let predicted = truth.iter().enumerate().map(|(i, &t)| match noise(i) {
        x if x < 0.86 => t,
        x if x < 0.96 && t % 2 == 0 => (t + 2) % classes,
        x => ((x * 1e6) as usize) % classes,
    });
    let predicted: Vec<usize> = predicted.collect();
    let matrix = ConfusionMatrix::new(classes, &truth, &predicted).unwrap();
    if classes == 10 { matrix.with_class_names(GARMENTS) } else { matrix }
}

fn seeds(level: f64, k: usize) -> Vec<History> {
    (0..5)
        .map(|seed| {
            made(&["val_accuracy"], 10, |_, e| {
                level - 0.35 / (1.0 + e as f64) + 0.03 * (noise(seed * 100 + e * 3 + k) - 0.5)
            })
        })
        .collect()
}

fn trace() -> GradientTrace {
    let steps: Vec<u64> = (0..60).map(|i| 1 + 25 * i).collect();
    let layers: Vec<(String, Vec<f64>)> = (0..5)
        .map(|l| {
            let norms =
                (0..60).map(|s| 10f64.powf(l as f64 * 0.8 - 4.0 + 0.3 * noise(l * 60 + s) + s as f64 * 0.01));
            ((2 * l + 1).to_string(), norms.collect())
        })
        .collect();
    serde_json::from_value(serde_json::json!({ "steps": steps, "layers": layers })).unwrap()
}

fn roc_points(power: f64) -> RocCurve {
    let x: Vec<f64> = (0..=50).map(|i| f64::from(i) / 50.0).collect();
    let y: Vec<f64> = x.iter().map(|x| x.powf(power)).collect();
    let thresholds: Vec<f64> = x.iter().rev().copied().collect();
    let curve =
        serde_json::json!({ "thresholds": thresholds, "false_positive_rates": x, "true_positive_rates": y });
    serde_json::from_value(curve).unwrap()
}

/// Returns a bin with this confidence, accuracy and weight.
fn bin((confidence, accuracy, weight): (f64, f64, f64)) -> CalibrationBin {
    let bin = serde_json::json!({
        "low": 0.0, "high": 1.0, "weight": weight, "confidence": confidence, "accuracy": accuracy
    });
    serde_json::from_value(bin).unwrap()
}

fn model() -> Sequential {
    let builder = Sequential::builder([28, 28]).seed(3).layer(Flatten).layer(Dense::units(16)).layer(ReLU);
    builder.layer(Dense::units(10)).layer(Softmax).build().unwrap()
}

/// Compares a figure with its golden file, or writes that file.
fn golden(name: &str, figure: Result<Figure>) {
    let figure = figure.unwrap();
    let path = Path::new(crate::ROOT).join("tests/plots").join(format!("{name}.svg"));
    let mut svg = String::new();
    for (i, part) in figure.to_svg().split("base64,").enumerate() {
        svg.push_str(if i == 0 { part } else { &part[part.find('"').unwrap()..] });
    }
    if std::env::var_os("PLYWOOD_BLESS").is_some() {
        let folder = Path::new(crate::ROOT).join("target/plots");
        fs::create_dir_all(&folder).unwrap();
        figure.save(folder.join(format!("{name}.png"))).unwrap();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, svg).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let line = svg.lines().zip(expected.lines()).position(|(a, b)| a != b);
    assert!(svg == expected, "{name}.svg differs, from line {line:?} on; see the head of this file");
}

/// A model with a residual connection, a projection and a row inside.
fn residual() -> Sequential {
    let block = |units| Sequential::block().layer(Dense::units(units)).layer(ReLU).layer(Dense::units(units));
    let wider =
        Residual::around(block(24)).projection(Sequential::block().layer(Dense::units(24).bias(false)));
    let builder =
        Sequential::builder([16]).layer(Residual::around(block(16))).layer(wider).layer(BatchNorm::new());
    builder
        .layer(Concat::of([Sequential::block(), block(8)]))
        .layer(Dense::units(3))
        .layer(Softmax)
        .build()
        .unwrap()
}

/// A graph with two inputs, two outputs, a layer that is applied twice and frozen, a parameter, and operations.
fn pairs() -> Graph {
    let g = Graph::builder();
    let (a, b) = (g.input("left", [8]), g.input("right", [8]));
    let [u, v] = g.shared(Dense::units(4), [a, b]);
    let scale = g.param("scale", [4], Initializer::Constant(1.0));
    g.output("distance", ((u - v).square() * scale.square()).sum(-1));
    g.output("features of the left", u);
    let mut model = g.build().unwrap();
    model.freeze("0").unwrap();
    model
}

/// Attention, with `steps` of it one after the other.
fn attention(steps: usize) -> Graph {
    let g = Graph::builder();
    let mut x = g.input("words", [12]).layer(Embedding::vocabulary(500, 32));
    for _ in 0..steps {
        let [q, k, v] = x.layer(LayerNorm::new()).layer(Dense::units(96)).split(-1);
        x += (q.matmul(k.t()) / 32f64.sqrt()).softmax(-1).matmul(v).layer(Dense::units(32));
        x = x + x
            .layer(LayerNorm::new())
            .layer(Dense::units(64))
            .layer(GELU::default())
            .layer(Dense::units(32));
    }
    g.output("topic", x.mean(1).layer(Dense::units(4)).layer(Softmax));
    g.build().unwrap()
}

#[test]
fn golden_networks() {
    golden("network", plot::network(&model()));
    golden("network-residual", plot::network(&residual()));
    golden("network-graph", plot::network(&pairs()));
    golden("network-attention", plot::network(&attention(3)));
}

#[test]
fn unusual_networks_are_drawn_or_refused() {
    let empty = Sequential::builder([4]).build().unwrap();
    assert_eq!(plot::network(&empty).unwrap().title(), "Network without parameters");
    // A name that is too long, letters that are not in the table, a boxed model.
    let g = Graph::builder();
    let long = "a name that does not fit into a box, however wide it is, 中".repeat(4);
    g.output(&long, g.input("", [1]).layer(ReLU));
    assert!(g.build().is_err());
    let g = Graph::builder();
    g.output(&long, g.input("x", [1; 30]).layer_named(&long, ReLU));
    let boxed: Box<dyn Model> = g.build().unwrap().boxed();
    let figure = plot::network(&*boxed).unwrap();
    assert!(figure.width() < 330.0, "{}", figure.width());
    assert_eq!(figure, plot::network(&boxed).unwrap());
    // Pictures of the same model are the same, and on a phone a small one is not scaled.
    assert_eq!(plot::network(&residual()).unwrap(), plot::network(&residual()).unwrap());
    assert!(plot::network(&model()).unwrap().width() <= 390.0);
    let mut deep = Sequential::builder([2]);
    for _ in 0..1000 {
        deep = deep.layer(ReLU);
    }
    assert_eq!(
        plot::network(&deep.build().unwrap()).unwrap_err().to_string(),
        "plot network: the model must have at most 1000 layers and operations to be drawn, got 1002 of them. Draw a \
         part of it, `Graph::with_outputs`; a formula with a label, `Graph::layer`, is one box."
    );
}

#[test]
fn golden_history() {
    golden("history", plot::history(&run()));
}

#[test]
fn golden_curve() {
    golden("curve", plot::curve(&run(), "val_accuracy"));
}

#[test]
fn golden_confusion() {
    golden("confusion", plot::confusion_matrix(&matrix(10, 10_000)));
}

#[test]
fn golden_confusion_of_two_and_of_many_classes() {
    let two = ConfusionMatrix::new(2, &[0, 0, 1, 1, 1], &[0, 1, 1, 1, 1]).unwrap();
    golden("confusion-two", plot::confusion_matrix(&two.with_class_names(["benign", "malignant"])));
    golden("confusion-many", plot::confusion_matrix(&matrix(100, 20_000)));
}

#[test]
fn golden_class_scores() {
    golden("class-scores", plot::class_scores(&matrix(10, 10_000).report()));
}

#[test]
fn golden_class_calibration() {
    let truth: Vec<usize> = (0..2_000).map(|i| i % 10).collect();
    let right = |i: usize| noise(i) < 0.65 + 0.03 * (truth[i] as f64);
    let predicted: Vec<usize> =
        (0..2_000).map(|i| if right(i) { truth[i] } else { (truth[i] + 3) % 10 }).collect();
    let confidence: Vec<f64> = (0..2_000).map(|i| 0.5 + 0.5 * noise(i + 5_000).sqrt()).collect();
    let analysis = ErrorAnalysis::new(10, &truth, &predicted, &confidence).unwrap();
    golden("class-calibration", plot::class_calibration(&analysis.with_class_names(GARMENTS)));
}

#[test]
fn golden_samples_that_are_right_and_wrong() {
    let (_, drawn) = plywood::data::synthetic::garments(10, 12, 5).unwrap();
    // An untrained network, and labels for which every other prediction is correct.
    let inputs = drawn.inputs().mapv(|byte| f32::from(byte) / 255.0);
    let answers = plywood::argmax_rows(&model().predict(&inputs).unwrap());
    let labels: Vec<usize> = answers.iter().enumerate().map(|(i, class)| (class + i % 2) % 10).collect();
    let test =
        ArrayDataset::new(inputs, labels).unwrap().with_class_names(GARMENTS.map(str::to_owned).to_vec());
    let figure = plot::samples(&model(), &test, &(0..12).collect::<Vec<_>>());
    assert_eq!(figure.as_ref().unwrap().to_svg().matches("<image").count(), 12);
    golden("samples", figure);
}

#[test]
fn golden_roc() {
    let curves: Vec<_> = (0..10).map(|i| roc_points(0.03 + 0.03 * i as f64)).collect();
    golden("roc", plot::roc(GARMENTS.iter().copied().zip(&curves)));
}

#[test]
fn golden_reliability() {
    let bins: Vec<_> = (0..15)
        .map(|i| (i as f64 + 0.5) / 15.0)
        .map(|c| (c, c * c * 0.35 + c * 0.6 + 0.02 * noise((c * 1e3) as usize), (6.0 * c).exp()))
        .filter(|bin| bin.0 > 0.2)
        .map(bin)
        .collect();
    golden("reliability", plot::reliability(&bins));
}

#[test]
fn golden_runs() {
    let (relu, sigmoid, tanh) = (seeds(0.9, 1), seeds(0.74, 2), seeds(0.86, 3));
    let groups = [("ReLU", &relu[..]), ("sigmoid", &sigmoid[..]), ("tanh", &tanh[..])];
    golden("runs", plot::runs("val_accuracy", groups));
}

#[test]
fn golden_gradient_norms() {
    golden("gradient-norms", plot::gradient_norms(&trace()));
}

#[test]
fn golden_samples_and_filters() {
    let (train, test) = plywood::data::synthetic::garments(400, 24, 5).unwrap();
    let mut model = model();
    // A few steps are enough for some correct predictions.
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).epochs(4);
    trainer.progress(Progress::Silent).fit(&mut model, &train).unwrap();
    let figure = plot::samples(&model, &test, &(0..24).collect::<Vec<_>>()).unwrap();
    assert_eq!(figure.to_svg().matches("<image").count(), 24);
    if std::env::var_os("PLYWOOD_BLESS").is_some() {
        figure.save(Path::new(crate::ROOT).join("target/plots/samples-trained.png")).unwrap();
    }
    golden("filters", plot::filters(&model));
}

#[test]
fn golden_chart_and_bars() {
    let widths = [16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
    let runs = |level: f64, slope: f64, k: usize| -> Vec<Vec<f64>> {
        (0..5)
            .map(|seed| {
                let of = |i: usize| level + slope * i as f64 + 0.01 * (noise(seed * 31 + i + k) - 0.5);
                (0..widths.len()).map(of).collect()
            })
            .collect()
    };
    let chart = Chart::new("Training and test accuracy by width")
        .x_label("units in the hidden layer")
        .y_label("accuracy after 10 epochs")
        .log_x(true)
        .band("training", &widths, &runs(0.87, 0.014, 0))
        .band("test", &widths, &runs(0.85, 0.006, 400));
    golden("chart", chart.draw());
    let bars = Bars::new("Accuracy after 10 epochs of plain SGD", ["training", "test"])
        .value_label("accuracy")
        .group("sigmoid", &[vec![0.56, 0.55, 0.58], vec![0.55, 0.54, 0.56]])
        .group("ReLU", &[vec![0.78, 0.77, 0.79], vec![0.77, 0.76, 0.775]])
        .group("ReLU + dropout 0.5", &[vec![0.64, 0.65, 0.66], vec![0.69, 0.68, 0.70]]);
    golden("bars", bars.draw());
}

/// Checks that a figure is drawn without a panic and that all numbers in it are finite.
fn drawn(figure: Result<Figure>) {
    let figure = figure.unwrap();
    let svg = figure.to_svg();
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", figure.title());
    assert!(figure.to_png().starts_with(b"\x89PNG"));
}

#[test]
fn one_epoch_one_class_and_numbers_that_are_not_finite() {
    let one = made(&["loss", "val_loss"], 1, |i, _| [0.5, 0.25][i]);
    drawn(plot::history(&one));
    drawn(plot::curve(&one, "loss"));
    let flat = made(&["loss"], 3, |_, _| 0.0);
    drawn(plot::history(&flat));
    drawn(plot::confusion_matrix(&ConfusionMatrix::new(1, &[0, 0], &[0, 0]).unwrap()));
    drawn(plot::confusion_matrix(&matrix(300, 1_000)));
    drawn(plot::class_scores(&matrix(100, 5_000).report()));
    let curves: Vec<_> = (0..100).map(|i| roc_points(0.01 + 0.01 * i as f64)).collect();
    drawn(plot::roc(curves.iter().enumerate().map(|(i, c)| (i.to_string(), c))));
    let mut bins = [(0.5, 0.5, 1.0), (0.9, 0.8, 4.0), (0.3, 0.1, 1.0)].map(bin);
    (bins[0].accuracy, bins[2].weight) = (f64::NAN, 0.0);
    drawn(plot::reliability(&bins));
    let strange = [f64::NAN, 1.0, f64::INFINITY, -1e300, 1e-300, 2.0, 1e150, f64::NEG_INFINITY];
    let points: Vec<_> = strange.iter().enumerate().map(|(i, &v)| (i as f64, v)).collect();
    drawn(Chart::new("strange").line("a", &points).draw());
    drawn(Chart::new("strange").line("a", &points).log_y(true).log_x(true).draw());
    let across: Vec<_> = points.iter().map(|p| (p.1, p.0)).collect();
    drawn(
        Chart::new("<&\"\u{0}> \u{4e2d}\u{6587} \u{1f600}").line("", &across).mark(f64::NAN, 0.0, "x").draw(),
    );
    drawn(Chart::new("").band("of", &[1.0, 2.0, f64::NAN], &[vec![1.0, f64::NAN], vec![], vec![2.0]]).draw());
    drawn(Bars::new("b", ["one", "two"]).group("g", &[vec![], vec![f64::NAN, -2.0, 1e150]]).draw());
    drawn(Bars::new("b", ["one"]).group("zero", &[vec![0.0]]).draw());
}

#[test]
fn what_cannot_be_drawn_is_an_error() {
    let text = |figure: Result<Figure>| figure.unwrap_err().to_string();
    assert_eq!(
        text(plot::curve(&run(), "f1")),
        "plot curve: the value to plot must be one of the recorded values (loss, accuracy, val_loss, \
         val_accuracy), got f1. It needs a finite number in at least one epoch."
    );
    assert!(
        text(plot::history(&History::default()))
            .starts_with("plot curve: the value to plot must be a name that some")
    );
    assert!(text(plot::runs("f1", [("a", &seeds(0.9, 1)[..])])).contains("val_accuracy), got f1"));
    assert!(text(plot::runs("loss", [("a", &[][..])])).contains("include one that can be drawn"));
    let empty = ConfusionMatrix::new(3, &[], &[]).unwrap();
    assert_eq!(
        text(plot::confusion_matrix(&empty)),
        "plot confusion matrix: the confusion matrix must have at least one sample, got none. Count predictions \
         first."
    );
    drawn(plot::class_scores(&empty.report()));
    assert!(
        text(plot::roc(Vec::<(&str, &RocCurve)>::new()))
            .starts_with("plot ROC: the curves must have at least one finite point")
    );
    assert!(text(plot::reliability(&[])).starts_with("plot reliability: the bins must"));
    assert!(text(plot::gradient_norms(&GradientTrace::default())).contains("Add a `GradientNorms`"));
    assert!(text(Chart::new("c").draw()).starts_with("chart \"c\": the points must"));
    assert!(
        text(Chart::new("c").line("a", &[(1.0, 1.0)]).y_range(2.0, 1.0).draw()).contains("the range of y")
    );
    assert!(text(Chart::new("c").line("a", &[(1.0, 1.0)]).size(f64::NAN, 9.0).draw()).contains("the size"));
    assert!(text(Bars::new("b", ["one"]).group("g", &[]).draw()).contains("have 1 bar, got 0"));
    assert!(text(Bars::new("b", ["one"]).group("g", &[vec![f64::NAN]]).draw()).contains("finite number"));
    let figure = Chart::new("c").line("a", &[(1.0, 1.0)]).draw().unwrap();
    assert!(figure.to_png_scaled(0.0).is_err() && figure.to_png_scaled(f64::NAN).is_err());
    assert!(
        figure
            .save("no/such/folder/c.png")
            .unwrap_err()
            .to_string()
            .starts_with("save picture: could not write")
    );
}

#[test]
fn images_have_to_be_images() {
    let text = |figure: Result<Figure>| figure.unwrap_err().to_string();
    let (data, _) = plywood::data::synthetic::garments(4, 4, 1).unwrap();
    assert!(text(plot::samples(&model(), &data, &[])).contains("from 1 to 400, got 0"));
    assert!(text(plot::samples(&model(), &data, &[4])).contains("each position must be below 4, got 4"));
    let flat = ArrayDataset::new(ndarray::Array2::<f32>::ones((4, 3)), vec![0; 4]).unwrap();
    let small = Sequential::builder([3]).layer(Dense::units(2)).layer(Softmax).build().unwrap();
    assert!(text(plot::samples(&small, &flat, &[0])).contains("[rows, columns] or [1 or 3, rows, columns]"));
    assert!(text(plot::filters(&small)).contains("Only a dense layer over images, or a convolution"));
    let none = Sequential::builder([3]).layer(ReLU).build().unwrap();
    assert!(text(plot::filters(&none)).contains("have weights of at least two axes, got none"));

    // Colour images, logits, odd sizes, a single output, and values that are not finite.
    let mut colours =
        ndarray::Array4::<f32>::from_shape_fn((3, 3, 5, 9), |(n, c, y, x)| (n + c * y + x) as f32);
    colours[[0, 0, 0, 0]] = f32::NAN;
    let colours = ArrayDataset::new(colours, vec![0, 1, 1]).unwrap();
    let conv =
        Sequential::builder([3, 5, 9]).layer(Conv2d::filters(5, 3)).layer(Flatten).layer(Dense::units(1));
    let conv = conv.layer(Sigmoid).build().unwrap();
    drawn(plot::samples(&conv, &colours, &[0, 1, 2, 1]));
    drawn(plot::filters(&conv));
}
