//! `PLYWOOD_MAX_LEVEL` and `plywood::level`: which levels give the same bits over whole trainings, and the error for an
//! unknown level. The variable is read once, so each value needs its own process: this program, started again to run
//! the test `child`.

use ndarray::Array2;
use plywood::data::Element;
use plywood::nn::Registry;
use plywood::optim::UpdateRule;
use plywood::prelude::*;
use std::process::Command;

/// The environment variable that selects the child's task.
const TASK: &str = "PLYWOOD_LEVELS_TASK";

const ERROR: &str = "got \"sse9\". Those are the levels of vector instructions on this kind of processor. \
                     Unset it to use all that there are.";

/// Returns the output of a child that performs a task with this maximum level (empty for none).
fn child_says(bound: &str, task: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "levels::child", "--nocapture"]).env(TASK, task).env("PLYWOOD_MAX_LEVEL", bound);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{bound} {task}: {text}{}", String::from_utf8_lossy(&output.stderr));
    // The current line may already contain the name of the test.
    let (_, said) = text.split_once("said: ").unwrap_or_else(|| panic!("{bound} {task}: {text}"));
    said.lines().next().unwrap().to_owned()
}

/// Runs only in a child process.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let said = match task.as_str() {
        "level" => plywood::level().unwrap().to_owned(),
        "train" => [
            trained::<f32, _>(SGD::default().momentum(0.9)),
            trained::<f32, _>(Adam::default()),
            trained::<f64, _>(Adam::default()),
        ]
        .join(" "),
        "refuse" => refuse(),
        task => panic!("no task {task}"),
    };
    println!("\nsaid: {said}");
}

/// Trains a network, and returns a hash of its weights and predictions.
fn trained<F: Scalar + Element, R: UpdateRule<F>>(rule: R) -> String {
    let x = Array2::from_shape_fn((96, 300), |(i, j)| F::of(((i * 31 + j * 17) % 23) as f64 / 23.0));
    let data = ArrayDataset::new(x.clone(), (0..96).map(|i| i % 5).collect::<Vec<usize>>()).unwrap();
    let builder = Sequential::<F>::builder_of([300]).layer(Dense::units(70)).layer(GELU::default());
    let mut model = builder.layer(LayerNorm::new()).layer(Dense::units(5)).layer(Softmax).build().unwrap();
    let trainer = Trainer::<_, F>::new(CrossEntropy::default(), Optimizer::new(rule))
        .epochs(2)
        .progress(Progress::Silent);
    trainer.batch_size(32).fit(&mut model, &data).unwrap();
    let mut numbers: Vec<f64> = model.predict(&x).unwrap().iter().map(|v| v.as_f64()).collect();
    model.visit_params(&mut |_, param| numbers.extend(param.as_slice().iter().map(|v| v.as_f64())));
    let mix = |hash: u64, v: &f64| (hash ^ v.to_bits()).wrapping_mul(0x0100_0000_01b3).rotate_left(17);
    format!("{:016x}", numbers.iter().fold(0xcbf2_9ce4_8422_2325, mix))
}

/// A saved model.
const FILE: &[u8] = include_bytes!("../golden/v8-f32.plywood");

/// Checks that with an unknown level, every way to create a model gives the same error.
fn refuse() -> String {
    let text = plywood::level().unwrap_err().to_string();
    assert!(text.starts_with("the environment variable PLYWOOD_MAX_LEVEL must be \"portable\""), "{text}");
    assert!(text.ends_with(ERROR), "{text}");
    let ends = |error: plywood::Error, place: &str| assert_eq!(error.to_string(), format!("{place}{text}"));
    let block = || Sequential::block().layer(Dense::units(2));
    ends(Sequential::builder([4]).layer(block()).build().unwrap_err(), "");
    ends(block().build_for(&[4], &Random::seed(1)).unwrap_err(), "");
    ends(Sequential::from_bytes(FILE, &Registry::<f32>::builtin()).unwrap_err(), "");
    ends(Sequential::read_from(FILE, &Registry::<f32>::builtin()).unwrap_err(), "load: ");
    "refused".to_owned()
}

#[test]
fn a_level_that_is_unknown_is_an_error_for_whatever_makes_a_model() {
    assert_eq!(child_says("sse9", "refuse"), "refused");
}

#[test]
fn an_empty_bound_is_none_and_one_above_the_processor_changes_nothing() {
    let most = child_says("", "level");
    let names: &[&str] = match std::env::consts::ARCH {
        "x86_64" => &["portable", "avx2", "avx512"],
        "aarch64" => &["portable", "neon"],
        _ => &["portable"],
    };
    let place = |name: &str| names.iter().position(|other| *other == name).unwrap();
    for name in names {
        let level = child_says(name, "level");
        assert_eq!(place(&level), place(name).min(place(&most)), "{name} on a processor with {most}");
    }
}

/// Checks what the documentation of `plywood::level` promises.
#[test]
fn levels_with_fused_steps_train_to_the_same_bits_and_all_do_in_f64() {
    let mut runs: Vec<(String, Vec<String>)> = Vec::new();
    for bound in ["portable", "avx2", "avx512"].iter().take(if cfg!(target_arch = "x86_64") { 3 } else { 1 })
    {
        let level = child_says(bound, "level");
        if runs.iter().all(|(other, _)| *other != level) {
            runs.push((level, child_says(bound, "train").split(' ').map(str::to_owned).collect()));
        }
    }
    for (level, run) in &runs[1..] {
        let [sgd, adam, in_f64] = [0, 1, 2].map(|i| &run[i]);
        assert_eq!(*in_f64, runs[0].1[2], "f64 at {level} and portable");
        assert_ne!(*sgd, runs[0].1[0], "f32 at {level} and portable: is the bound without effect?");
        assert_eq!(*sgd, runs[1].1[0], "f32 by SGD at {level} and avx2");
        assert_eq!(*adam == runs[1].1[1], level == "avx2", "f32 by Adam at {level} and avx2");
    }
}
