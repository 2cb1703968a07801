//! A program without a mistake; it shows that the others fail because of theirs.
use plywood::ndarray::{Array2, arr2};
use plywood::nn::Value;
use plywood::optim::CosineDecay;
use plywood::prelude::*;

/// A callback that does nothing.
struct Beep;

impl Callback for Beep {}

fn both<'g>(x: Value<'g>, y: Value<'g>) -> Value<'g> {
    (x * y).tanh()
}

const KIND: Kind = Kind::own("mycrate.beep");

fn main() -> Result<()> {
    let (train, test) = plywood::data::synthetic::garments(100, 10, 1)?;
    let mut model =
        Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build()?;
    let mut trainer = Trainer::new(CrossEntropy::default(), SGD::default())
        .learning_rate(CosineDecay { start: 0.01, steps: 10 })
        .metric(Accuracy::default())
        .callback(Beep);
    trainer.fit(&mut model, &train)?;
    println!("{} {KIND}", trainer.evaluate(&model, &test)?.loss);
    println!("{}", evaluate::classification_report(&model, &test)?);

    let data = ArrayDataset::new(Array2::<f32>::zeros((8, 1)), Array2::<f32>::zeros((8, 1)))?;
    let mut model = Sequential::builder([1]).layer(Dense::units(1)).build()?;
    Trainer::new(MeanSquaredError, Adam::default()).metric(MAE::default()).fit(&mut model, &data)?;
    println!("{}", model.predict(&arr2(&[[1.0]]))?);

    let g = Graph::builder();
    let x = g.input("x", [4, 2]);
    g.output("y", 2 * x.slice(1, 1..3).sum(1) * both(x, x).index_axis(1, 2).reshape([-1, 2]).sum(1));
    println!("{}", g.build()?);
    Ok(())
}
