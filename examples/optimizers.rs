//! Trains one network with every optimizer: 784 inputs, 128 units with ReLU, 10 classes; batches of 32, five epochs,
//! each rule at its default learning rate or the one that its documentation advises. Prints the test accuracy after
//! each epoch.
//!
//! The data are Fashion-MNIST, or synthetic images if no host can be reached:
//!
//! ```console
//! cargo run --release --example optimizers
//! ```

use plywood::ErrorKind;
use plywood::data::{Images, synthetic};
use plywood::optim::UpdateRule;
use plywood::prelude::*;

/// Trains the network and prints the test accuracy after each epoch.
fn run(name: &str, optimizer: impl Into<Optimizer>, train: &Images, test: &Images) -> Result<()> {
    let mut model = Sequential::builder([28, 28])
        .seed(42)
        .layer(Flatten)
        .layer(Dense::units(128))
        .layer(ReLU)
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()?;
    let mut trainer = Trainer::new(CrossEntropy::default(), optimizer)
        .epochs(5)
        .metric(Accuracy::default())
        .progress(Progress::Silent);
    let rate = trainer.optimizer().learning_rate_at(1);
    let history = trainer.fit_with_validation(&mut model, train, test)?;
    let accuracies =
        history.get("val_accuracy").iter().map(|accuracy| format!("  {accuracy:.4}")).collect::<String>();
    let seconds = history.seconds() / history.epochs.len() as f64;
    println!("{name:<28}  {rate:<8}{accuracies}  {seconds:.2} s");
    Ok(())
}

/// Returns the rule with a learning rate other than its default.
fn at<R: UpdateRule>(rate: f64, rule: R) -> Optimizer {
    Optimizer::new(rule).learning_rate(rate)
}

fn main() -> Result<()> {
    let (train, test) = match datasets::fashion_mnist() {
        Err(error) if matches!(error.kind(), ErrorKind::Download { unreachable: true, .. }) => {
            println!("{error}\n\nNOT Fashion-MNIST: continuing with synthetic images of clothing.\n");
            synthetic::garments(12_000, 2_000, 42)?
        }
        real => real?,
    };
    println!("{:<28}  rate      epochs 1 to 5, and seconds per epoch", "rule");
    run("SGD", at(0.1, SGD::default()), &train, &test)?;
    run("SGD, momentum 0.9", SGD::default().momentum(0.9), &train, &test)?;
    run("SGD, Nesterov", SGD::default().momentum(0.9).nesterov(true), &train, &test)?;
    run("RMSprop", RMSprop::default(), &train, &test)?;
    run(
        "RMSprop, centred, momentum",
        at(1e-4, RMSprop::default().centered(true).momentum(0.9)),
        &train,
        &test,
    )?;
    run("Adagrad", Adagrad::default(), &train, &test)?;
    run("Adadelta", Adadelta::default(), &train, &test)?;
    run("Adam", Adam::default(), &train, &test)?;
    run("Adam, AMSGrad", Adam::default().amsgrad(true), &train, &test)?;
    run("AdamW", AdamW::default(), &train, &test)?;
    run("Adamax", Adamax::default(), &train, &test)?;
    run("NAdam", NAdam::default(), &train, &test)?;
    run("RAdam", RAdam::default(), &train, &test)?;
    run("Lion", Lion::default(), &train, &test)?;
    run("Muon", Muon::default(), &train, &test)?;
    run("ScheduleFreeAdamW", ScheduleFreeAdamW::default(), &train, &test)
}
