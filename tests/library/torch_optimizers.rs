//! Agreement with PyTorch, Keras (Lion) and the authors' code (schedule-free) in f64, to 1e-9: every update rule over
//! 20 steps, clipping, groups, steps over several batches, averages, and every schedule.
//!
//! The reference values are in torch/optimizers.json. torch/optimizers.py generated them, and describes how to
//! regenerate them.

use crate::reference::{self, Holder, TOLERANCE, agree, numbers, tensor};
use plywood::optim::{
    Averaging, Chain, CosineDecay, CosineRestarts, ExponentialDecay, Group, MultiStepDecay, OneCycle,
    Piecewise, PolynomialDecay, ReduceOnPlateau, Schedule, StepDecay, UpdateRule, WarmUp,
};
use plywood::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

static REFERENCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../torch/optimizers.json")).expect("JSON"));

/// Returns the value in this file at these keys.
fn at(keys: &[&str]) -> &'static Value {
    reference::at(&REFERENCE, keys)
}

fn tensors(value: &Value) -> Vec<Tensor<f64>> {
    value.as_array().expect("an array").iter().map(tensor).collect()
}

/// Takes the steps of a run with the given gradients, and compares the weights for evaluation. After step 7, the state
/// is loaded into a new optimizer.
fn optimize(section: &str, run: &str, make: impl Fn() -> Optimizer<f64>) {
    let values = at(&[section, run]);
    let mut model = Holder(tensors(at(&["start"])).into_iter().map(Param::new).collect());
    let mut optimizer = make();
    let mut kept = 0;
    for (step, grads) in (1..).zip(at(&["grads"]).as_array().unwrap()) {
        for (param, grad) in model.0.iter_mut().zip(tensors(grads)) {
            param.add_gradient(&grad).unwrap();
        }
        optimizer.step(&mut model).unwrap();
        optimizer.evaluation_weights(&mut model).unwrap();
        if let Some(expected) = values.get(step.to_string()) {
            for (i, (param, expected)) in model.0.iter().zip(tensors(expected)).enumerate() {
                assert_eq!(param.shape(), expected.shape());
                for (found, &expected) in param.as_slice().iter().zip(&expected) {
                    agree(&format!("{run}, step {step}, parameter {i}"), *found, expected);
                }
            }
            kept += 1;
        }
        if step == 7 {
            let state = optimizer.state(&model);
            optimizer = make();
            optimizer.load_state(&mut model, state).unwrap();
        }
        optimizer.training_weights(&mut model).unwrap();
    }
    assert_eq!(kept, 4);
}

macro_rules! runs {
    ($section:ident: $($run:ident: $optimizer:expr;)*) => {
        mod $section {
            use super::*;

            $(#[test]
            fn $run() {
                optimize(stringify!($section), stringify!($run), || $optimizer);
            })*

            #[test]
            fn every_run_of_the_reference_is_compared() {
                let runs: Vec<&str> = at(&[stringify!($section)]).as_object().unwrap().keys().map(String::as_str).collect();
                let mut compared = vec![$(stringify!($run)),*];
                compared.sort_unstable();
                assert_eq!(runs, compared);
            }
        }
    };
}

fn groups(rule: impl UpdateRule<f64>) -> Optimizer<f64> {
    Optimizer::new(rule)
        .learning_rate(0.01)
        .group(Group::matching("0").learning_rate_factor(0.5).weight_decay(0.1))
        .group(Group::matching("2*").learning_rate_factor(2.0).weight_decay(0.3))
}

runs! {
    rules:
    rmsprop: Optimizer::new(RMSprop::default()).learning_rate(0.01);
    rmsprop_decay:
        Optimizer::new(RMSprop::default().alpha(0.9).epsilon(1e-4).weight_decay(0.1)).learning_rate(0.02);
    rmsprop_centred: Optimizer::new(RMSprop::default().centered(true).epsilon(1e-3)).learning_rate(0.01);
    rmsprop_momentum: Optimizer::new(RMSprop::default().momentum(0.9)).learning_rate(0.01);
    rmsprop_all: {
        let rule = RMSprop::default().alpha(0.9).epsilon(1e-3).centered(true).momentum(0.8).weight_decay(0.1);
        Optimizer::new(rule).learning_rate(0.01)
    };
    adagrad: Optimizer::new(Adagrad::default());
    adagrad_all: {
        let rule = Adagrad::default().learning_rate_decay(0.05).initial_sum(0.1).epsilon(1e-4).weight_decay(0.1);
        Optimizer::new(rule).learning_rate(0.1)
    };
    adadelta: Optimizer::new(Adadelta::default());
    adadelta_all: Optimizer::new(Adadelta::default().rho(0.95).epsilon(1e-3).weight_decay(0.1)).learning_rate(0.5);
    adamax: Optimizer::new(Adamax::default());
    adamax_all:
        Optimizer::new(Adamax::default().betas(0.8, 0.95).epsilon(1e-3).weight_decay(0.1)).learning_rate(0.01);
    nadam: Optimizer::new(NAdam::default());
    nadam_decay: {
        let rule = NAdam::default().betas(0.8, 0.95).epsilon(1e-3).momentum_decay(0.1).weight_decay(0.1);
        Optimizer::new(rule).learning_rate(0.01)
    };
    nadam_decoupled: Optimizer::new(NAdam::default().weight_decay(0.1).decoupled(true)).learning_rate(0.01);
    radam: Optimizer::new(RAdam::default()).learning_rate(0.01);
    radam_decay:
        Optimizer::new(RAdam::default().betas(0.8, 0.95).epsilon(1e-3).weight_decay(0.1)).learning_rate(0.01);
    radam_decoupled: Optimizer::new(RAdam::default().weight_decay(0.1).decoupled(true)).learning_rate(0.01);
    amsgrad: Optimizer::new(Adam::default().betas(0.8, 0.5).amsgrad(true)).learning_rate(0.01);
    amsgrad_decay: Optimizer::new(Adam::default().amsgrad(true).weight_decay(0.1)).learning_rate(0.01);
    amsgrad_decoupled:
        Optimizer::new(AdamW::default().betas(0.8, 0.5).amsgrad(true).weight_decay(0.2)).learning_rate(0.01);
    lion: Optimizer::new(Lion::default()).learning_rate(0.01);
    lion_decay: Optimizer::new(Lion::default().betas(0.8, 0.9).weight_decay(0.1)).learning_rate(0.02);
    muon: Optimizer::new(Muon::default()).learning_rate(0.01);
    muon_original: {
        let rule = Muon::default().matched_scale(false).momentum(0.9).nesterov(false).rounds(3).weight_decay(0.2);
        Optimizer::new(rule).learning_rate(0.01)
    };
    schedule_free: Optimizer::new(ScheduleFreeAdamW::default());
    schedule_free_all: {
        let rule = ScheduleFreeAdamW::default().betas(0.8, 0.95).epsilon(1e-3).weight_decay(0.1);
        Optimizer::new(rule).learning_rate(|step: u64| 0.01 * step.min(5) as f64 / 5.0)
    };
}

/// Compares the learning rates of all steps.
fn schedule(run: &str, schedule: impl Schedule) {
    schedule.check().unwrap();
    let expected = numbers(at(&["schedules", run]));
    assert_eq!(expected.len(), 40);
    for (step, expected) in (1..).zip(expected) {
        let found = schedule.learning_rate(step);
        let deviation = (found - expected).abs() / expected.abs().max(1e-6);
        assert!(deviation <= TOLERANCE, "{run}, step {step}: {found:e} here, {expected:e} in the reference");
    }
}

#[test]
fn schedules() {
    schedule("step", StepDecay { start: 0.1, factor: 0.3, steps: 7 });
    schedule("multi_step", MultiStepDecay { start: 0.1, factor: 0.3, after: vec![5, 6, 30] });
    schedule("exponential", ExponentialDecay { start: 0.1, factor: 0.9, steps: 1 });
    schedule("polynomial", PolynomialDecay { start: 0.1, end: 0.0, power: 2.5, steps: 30 });
    schedule("cosine", CosineDecay { start: 0.1, steps: 40 });
    schedule("restarts", CosineRestarts { start: 0.1, end: 0.01, steps: 5, growth: 2 });
    schedule("restarts_equal", CosineRestarts { start: 0.1, end: 0.0, steps: 7, growth: 1 });
    schedule("warm_up", WarmUp { from: 0.02, steps: 10, then: 0.1 });
    let cosine = CosineDecay { start: 0.1, steps: 20 };
    // PyTorch's cosine rises again after its end; ours stays at 0.
    let up_again =
        move |step: u64| if step > 20 { cosine.learning_rate(42 - step) } else { cosine.learning_rate(step) };
    schedule("warm_up_cosine", WarmUp { from: 0.01, steps: 8, then: up_again });
    schedule("one_cycle", OneCycle::peak(0.2, 40));
    schedule("one_cycle_linear", OneCycle::peak(0.2, 40).rise(0.45).divisors(10.0, 100.0).linear(true));
    let (exponential, stairs) = (
        ExponentialDecay { start: 0.1, factor: 0.9, steps: 1 },
        StepDecay { start: 0.1, factor: 0.5, steps: 4 },
    );
    schedule("chain", Chain::from(0.05).after(10, exponential).after(25, stairs));
    let (exponential, stairs) = (
        ExponentialDecay { start: 1.0, factor: 0.95, steps: 1 },
        StepDecay { start: 1.0, factor: 0.5, steps: 10 },
    );
    schedule("factors", move |step| 0.1 * exponential.learning_rate(step) * stairs.learning_rate(step));
    schedule("piecewise", Piecewise::constant([(1, 0.1), (11, 0.05), (26, 0.01)]));
    schedule("piecewise_lines", Piecewise::linear([(3, 0.01), (10, 0.1), (30, 0.02)]));
}

/// Compares the learning rate after each observed value.
fn plateau(run: &str, how: ReduceOnPlateau) {
    let mut optimizer = Optimizer::<f64>::new(SGD::default()).learning_rate(0.1).reduce_on_plateau(how);
    let rates = numbers(at(&["schedules", run, "rates"]));
    let mut seen = vec![0.1];
    for (value, expected) in numbers(at(&["schedules", run, "values"])).into_iter().zip(rates) {
        optimizer.observe(value).unwrap();
        agree(run, optimizer.learning_rate_at(1), expected);
        seen.push(expected);
    }
    seen.dedup();
    assert!(seen.len() > 3, "the rate falls some times: {seen:?}");
}

#[test]
fn plateaus() {
    plateau("plateau", ReduceOnPlateau::factor(0.5).patience(2).threshold(0.01).cool_down(1));
    let rising =
        ReduceOnPlateau::factor(0.3).patience(1).monitor("val_accuracy").higher_is_better().least(0.04);
    plateau("plateau_rising", rising);
}

#[test]
fn every_schedule_of_the_reference_is_compared() {
    let source = include_str!("torch_optimizers.rs");
    for run in at(&["schedules"]).as_object().unwrap().keys() {
        assert!(source.contains(&format!("(\"{run}\", ")), "{run}");
    }
}

runs! {
    structure:
    clip_value: Optimizer::new(SGD::default()).learning_rate(0.1).clip_value(0.5);
    clip_each: Optimizer::new(SGD::default()).learning_rate(0.1).clip_norm_per_parameter(2.0);
    clip_all_kinds: Optimizer::new(Adam::default()).learning_rate(0.01)
        .clip_norm(4.0).clip_norm_per_parameter(3.0).clip_value(2.0);
    groups_sgd: groups(SGD::default());
    groups_adam: groups(Adam::default());
    groups_adamw: groups(AdamW::default().weight_decay(0.0));
    batches: Optimizer::new(Adam::default()).learning_rate(0.01).clip_norm(2.0).batches_per_step(5);
    exponential: Optimizer::new(Adam::default()).learning_rate(0.01).average(Averaging::exponential(0.9));
    uniform: Optimizer::new(SGD::default().momentum(0.9)).learning_rate(0.1)
        .average(Averaging::uniform().from_step(2).every(3));
}
