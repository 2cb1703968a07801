//! Trains models and predicts with them, to compare the results of WebAssembly with those of this machine.
//!
//! A line begins with how closely the two must agree: `bits` means bit-identical, `near` means within a millionth.
//! Results of the crate's own arithmetic have the same bits on every processor at the vector level `portable`, which is
//! the level of WebAssembly. Functions of the standard library depend on the platform. Losses use its logarithm.

mod nothing;

use plywood::data::Images;
use plywood::data::synthetic::garments;
use plywood::nn::SequentialBuilder;
use plywood::optim::UpdateRule;
use plywood::prelude::*;

/// Returns the results, one per line. The last line says whether everything was computed.
pub fn report() -> String {
    let mut lines = Vec::new();
    let end = match all(&mut lines).and_then(|()| nothing::check()) {
        Ok(()) => "bits all done".to_owned(),
        Err(error) => format!("FAILED {error}"),
    };
    lines.push(end);
    lines.join("\n")
}

/// Returns the report's text, terminated by a 0, for callers without strings.
#[allow(unsafe_code, reason = "it gives the function the name that run.mjs calls")]
#[unsafe(no_mangle)]
pub extern "C" fn run() -> *const u8 {
    let mut text = report().into_bytes();
    text.push(0);
    text.leak().as_ptr()
}

fn all(lines: &mut Vec<String>) -> Result<()> {
    let data = garments(320, 64, 1)?;
    lines.push(format!("bits {:016x} images", sum(data.0.inputs().iter().copied())));
    let model = |seed| Sequential::builder([28, 28]).seed(seed);
    let classes = |layers: SequentialBuilder| layers.layer(Dense::units(10)).layer(Softmax).build();

    let dense = |seed| model(seed).layer(Flatten).layer(Dense::units(32)).layer(ReLU);
    run_one("dense, SGD", classes(dense(1))?, SGD::default().momentum(0.9), &data, lines)?;
    run_one("dense, Adam", classes(dense(2))?, Adam::default(), &data, lines)?;

    let convolution = model(3).layer(Reshape::to([1, 28, 28])).layer(Conv2d::filters(8, 3));
    let convolution = convolution.layer(BatchNorm::new()).layer(ReLU).layer(MaxPool2d::window(2));
    let convolution = convolution.layer(Flatten).layer(Dropout::rate(0.2));
    run_one(
        "convolution, batch norm, dropout, AdamW",
        classes(convolution)?,
        AdamW::default(),
        &data,
        lines,
    )?;

    let normal = Dense::units(32).initializer(Initializer::Normal { mean: 0.0, std_dev: 0.05 });
    let normal = model(4).layer(Flatten).layer(normal).layer(Tanh).layer(LayerNorm::new());
    run_one("normal draws, tanh, layer norm", classes(normal)?, Adam::default(), &data, lines)?;
    let curve = |activation: Curve| classes(activation(model(5).layer(Flatten).layer(Dense::units(16))));
    for (name, activation) in CURVES {
        run_one(name, curve(activation)?, Adam::default(), &data, lines)?;
    }
    Ok(())
}

/// A function that adds an activation.
type Curve = fn(SequentialBuilder) -> SequentialBuilder;

/// Activations that use the crate's own exponential, hyperbolic tangent and logarithm.
const CURVES: [(&str, Curve); 6] = [
    ("sigmoid", |layers| layers.layer(Sigmoid)),
    ("SiLU", |layers| layers.layer(SiLU)),
    ("GELU", |layers| layers.layer(GELU::default())),
    ("mish", |layers| layers.layer(Mish)),
    ("SELU", |layers| layers.layer(SELU)),
    ("softplus", |layers| layers.layer(Softplus::default())),
];

/// Trains for two epochs, saves to bytes and loads again, and predicts.
fn run_one(
    name: &str,
    mut model: Sequential,
    rule: impl UpdateRule<f32> + 'static,
    (train, test): &(Images, Images),
    lines: &mut Vec<String>,
) -> Result<()> {
    lines.push(format!("bits {:016x} {name}: weights before", sum(model.weights_to_bytes()?)));
    let trainer = Trainer::new(CrossEntropy::default(), rule).epochs(2).batch_size(32).prefetch(2);
    let mut trainer = trainer.validation_split(0.2).metric(Accuracy::default()).progress(Progress::Silent);
    let history = trainer.fit(&mut model, train)?;
    for (number, epoch) in history.epochs.iter().enumerate() {
        for (value, number_of) in &epoch.values {
            lines.push(format!("near {number_of:.9} {name}: {value} of epoch {number}"));
        }
    }
    lines.push(format!("bits {:016x} {name}: weights", sum(model.weights_to_bytes()?)));
    let read = Sequential::from_bytes(&model.to_bytes()?, &Registry::<f32>::builtin())?;
    let images = test.inputs().mapv(|byte| f32::from(byte) / 255.0);
    let probabilities = read.predict(&images)?;
    let bytes = probabilities.iter().flat_map(|p| p.to_le_bytes());
    lines.push(format!("bits {:016x} {name}: probabilities", sum(bytes)));
    let of_first = probabilities.iter().take(10).enumerate();
    lines.extend(of_first.map(|(class, p)| format!("near {p:.9} {name}: probability of class {class}")));
    Ok(())
}

/// Returns the FNV-1a hash of bytes.
fn sum(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
