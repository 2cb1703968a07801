//! What optimisers do for all rules alike, seen through training: state that is restored, batches that make one step,
//! averages, groups, and the errors of settings that cannot be.

use plywood::ndarray::Array2;
use plywood::optim::{Averaging, Group, OptimizerState, UpdateRule};
use plywood::prelude::*;
use plywood::train::accumulate;
use std::sync::{Arc, Mutex};

/// Ids for an embedding and a label that depends on them.
fn data() -> (Tensor, Vec<usize>) {
    let ids = Array2::from_shape_fn((24, 3), |(i, j)| ((i * 5 + j * 7) % 11) as f32);
    let labels = ids.outer_iter().map(|row| usize::from(row.sum() > 15.0)).collect();
    (ids.into_dyn(), labels)
}

/// Gradients by rows, as products, and dense ones; a buffer; draws of dropout.
fn network() -> Sequential {
    Sequential::builder([3])
        .seed(4)
        .layer(Embedding::vocabulary(12, 4))
        .layer(Flatten)
        .layer(Dense::units(8))
        .layer(BatchNorm::new())
        .layer(Tanh)
        .layer(Dropout::rate(0.1))
        .layer(Dense::units(2))
        .layer(Softmax)
        .build()
        .unwrap()
}

fn bits(model: &Sequential) -> Vec<u32> {
    let mut bits = Vec::new();
    model.visit_params(&mut |_, param| bits.extend(param.as_slice().iter().map(|v| v.to_bits())));
    bits
}

/// Steps on batches of six, and what the model is to be evaluated with after each.
fn train<R: UpdateRule>(
    model: &mut Sequential,
    optimizer: &mut Optimizer<R>,
    batches: std::ops::Range<usize>,
) -> Vec<Vec<u32>> {
    let (x, labels) = data();
    let mut seen = Vec::new();
    for batch in batches {
        let rows = (batch % 4) * 6..(batch % 4) * 6 + 6;
        let input = x.slice_axis(plywood::ndarray::Axis(0), rows.clone().into()).to_owned();
        optimizer.training_weights(model).unwrap();
        accumulate(model, &CrossEntropy::default(), input, &labels[rows], None).unwrap();
        optimizer.step(model).unwrap();
        optimizer.evaluation_weights(model).unwrap();
        seen.push(bits(model));
    }
    seen
}

/// Training that is interrupted after each number of batches goes on with the same bits.
fn resumes<R: UpdateRule>(make: impl Fn() -> Optimizer<R>) {
    let (mut model, mut optimizer) = (network(), make());
    let whole = train(&mut model, &mut optimizer, 0..12);
    for cut in [1, 4, 5] {
        let (mut model, mut optimizer) = (network(), make());
        assert_eq!(train(&mut model, &mut optimizer, 0..cut), whole[..cut]);
        let state = optimizer.state(&model).unwrap();
        let text = serde_json::to_string(&state).unwrap();
        let saved: OptimizerState = serde_json::from_str(&text).unwrap();
        assert_eq!(saved, state);
        let mut model = Sequential::from_bytes(&model.to_bytes().unwrap(), &Registry::builtin()).unwrap();
        let mut optimizer = make();
        optimizer.load_state(&mut model, saved).unwrap();
        assert_eq!(optimizer.state(&model).unwrap(), state);
        assert_eq!(train(&mut model, &mut optimizer, cut..12), whole[cut..], "after {cut} batches");
    }
}

#[test]
fn a_restored_state_goes_on_with_the_same_bits() {
    resumes(|| Optimizer::new(SGD::default()));
    resumes(|| Optimizer::new(SGD::default().momentum(0.9)).clip_norm(0.5));
    resumes(|| Optimizer::new(Adam::default()));
    resumes(|| Optimizer::new(AdamW::default()).average(Averaging::exponential(0.8)));
    resumes(|| Optimizer::new(Adam::default()).average(Averaging::uniform().from_step(2).every(2)));
    resumes(|| Optimizer::new(Adam::default()).batches_per_step(3));
    resumes(|| {
        let optimizer = Optimizer::new(SGD::default().momentum(0.5)).batches_per_step(2);
        optimizer
            .average(Averaging::exponential(0.5))
            .group(Group::matching("*.bias").learning_rate_factor(0.1))
    });
}

/// A change that makes a state useless.
type Damage<'a> = &'a dyn Fn(&mut OptimizerState);

#[test]
fn a_state_that_does_not_belong_is_refused_and_changes_nothing() {
    let (mut model, mut optimizer) =
        (network(), Optimizer::new(Adam::default()).average(Averaging::uniform()));
    train(&mut model, &mut optimizer, 0..2);
    let state = optimizer.state(&model).unwrap();
    let (before, steps) = (bits(&model), optimizer.steps());
    let mut refused = |change: Damage<'_>| {
        let mut state = state.clone();
        change(&mut state);
        let text = optimizer.load_state(&mut model, state).unwrap_err().to_string();
        assert_eq!((bits(&model), optimizer.steps()), (before.clone(), steps));
        text
    };
    assert_eq!(
        refused(&|state| state.rule = "SGD".into()),
        "the optimiser's state: expected a state of the rule Adam, found SGD. \
         Resume with the optimiser that the state was taken from."
    );
    let damages: &[(&str, Damage<'_>)] = &[
        ("a state of this model", &|s| {
            for (name, _) in &mut s.arrays {
                *name = name.replace("0.weight/", "9.weight/");
            }
        }),
        ("expected an array's name", &|s| s.arrays[0].0 = "0.weight/1".into()),
        ("expected an array's name", &|s| s.arrays[0].0 = "nonsense".into()),
        ("the arrays of 0.weight to be 2", &|s| drop(s.arrays.remove(1))),
        ("parameter 0.weight of shape [5]", &|s| s.arrays[0].1 = Tensor::zeros(vec![5])),
        ("parameter 0.weight of shape [5]", &|s| {
            let average = s.arrays.iter_mut().find(|(name, _)| name == "0.weight/average").unwrap();
            average.1 = Tensor::zeros(vec![5]);
        }),
        ("the number steps", &|s| s.numbers[0].1 = -1.0),
        ("the number steps", &|s| s.numbers[0].1 = f64::NAN),
        ("the number exchanged", &|s| s.numbers[3].1 = 2.0),
        ("a number's name", &|s| s.numbers[0].0 = "step".into()),
        ("the rule", &|s| s.settings.truncate(3)),
        ("the array 0.weight/gradient", &|s| {
            s.arrays.push(("0.weight/gradient".into(), Tensor::zeros(vec![1])));
        }),
        ("a row's id", &|s| {
            s.arrays.push(("0.weight/ids".into(), Tensor::from_elem(vec![1, 2], 1e30)));
            s.arrays.push(("0.weight/gradient".into(), Tensor::zeros(vec![1, 4])));
        }),
        ("the array 0.weight/ids", &|s| {
            s.arrays.push(("0.weight/ids".into(), Tensor::from_elem(vec![], 1.0)));
            s.arrays.push(("0.weight/gradient".into(), Tensor::zeros(vec![1, 4])));
        }),
    ];
    for (text, change) in damages {
        let found = refused(change);
        assert!(found.contains(text), "{text}: {found}");
    }
    let mut plain = Optimizer::new(Adam::default());
    let text = plain.load_state(&mut model, state).unwrap_err().to_string();
    assert!(text.contains("Set `average` as it was"), "{text}");
}

#[test]
fn two_batches_that_make_one_step_are_a_batch_of_both() {
    let (x, labels) = data();
    let build = || {
        Sequential::<f64>::builder_of([3]).layer(Dense::units(4)).layer(Tanh).layer(Dense::units(2)).build()
    };
    let x = x.mapv(f64::from);
    let run = |size: usize, batches: u64| {
        let data = ArrayDataset::new(x.clone(), labels.clone()).unwrap();
        let mut model = build().unwrap();
        let trainer = Trainer::new(CrossEntropy::from_logits(), Adam::default()).batches_per_step(batches);
        let mut trainer = trainer.batch_size(size).epochs(3).shuffle(false).progress(Progress::Silent);
        trainer.fit(&mut model, &data).unwrap();
        (model.predict(&x).unwrap(), trainer.optimizer().steps())
    };
    let ((whole, steps), (parts, same)) = (run(12, 1), run(6, 2));
    assert_eq!((steps, same), (6, 6));
    assert!(whole.iter().zip(&parts).all(|(a, b)| (a - b).abs() < 1e-12));
    assert_eq!(run(6, 3).1, 6, "each epoch ends with a step for the fourth batch");
    assert_eq!(run(6, 100).1, 3);
}

/// Records the model at the end of each epoch.
struct Recorder(Arc<Mutex<Vec<Vec<u32>>>>);

impl Callback for Recorder {
    fn on_epoch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
        self.0.lock().unwrap().push(bits(context.model()));
        Ok(())
    }
}

#[test]
fn averages_are_validated_and_left_behind_and_do_not_change_training() {
    let (x, labels) = data();
    let data = ArrayDataset::new(x, labels).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let trainer = |averaging: Option<Averaging>| {
        let trainer =
            Trainer::new(CrossEntropy::default(), Adam::default()).learning_rate(0.05).batch_size(6);
        let trainer = trainer.progress(Progress::Silent).epochs(2).callback(Recorder(seen.clone()));
        match averaging {
            Some(averaging) => trainer.average(averaging),
            None => trainer,
        }
    };
    let (mut plain, mut averaged) = (network(), network());
    let mut without = trainer(None);
    let plain_losses: Vec<f64> =
        (0..2).flat_map(|_| without.fit(&mut plain, &data).unwrap().get("loss")).collect();
    let mut with = trainer(Some(Averaging::exponential(0.7)));
    let mut losses = Vec::new();
    for _ in 0..2 {
        let history = with.fit_with_validation(&mut averaged, &data, &data).unwrap();
        assert_eq!(Some(with.evaluate(&averaged, &data).unwrap().loss), history.last("val_loss"));
        assert_eq!(Some(&bits(&averaged)), seen.lock().unwrap().last());
        losses.extend(history.get("loss"));
    }
    assert_eq!(losses, plain_losses, "what is trained are the weights, not the averages");
    assert_ne!(bits(&averaged), bits(&plain));
    with.optimizer_mut().training_weights(&mut averaged).unwrap();
    assert_eq!(bits(&averaged), bits(&plain));
}

#[test]
fn steps_on_averages_are_refused() {
    let (mut model, mut optimizer) =
        (network(), Optimizer::new(SGD::default()).average(Averaging::uniform()));
    train(&mut model, &mut optimizer, 0..1);
    assert_eq!(
        optimizer.step(&mut model).unwrap_err().to_string(),
        "the optimiser: expected the model to hold the weights that are trained, found their averages. \
         Call `training_weights` before the forward pass."
    );
}

#[test]
fn groups_change_rates_and_decay_by_name() {
    let (mut model, mut all) = (network(), network());
    let start = network();
    let with = AdamW::default().weight_decay(0.5);
    let group = |pattern: &str| Group::matching(pattern).learning_rate_factor(0.0);
    let mut optimizer =
        Optimizer::new(with).group(group("0.*")).group(Group::matching("*.bias").weight_decay(0.0));
    train(&mut model, &mut optimizer, 0..3);
    train(&mut all, &mut Optimizer::new(with), 0..3);
    let values = |model: &Sequential, which: &str| {
        let mut values = Vec::new();
        model.visit_params(&mut |name, param| {
            if name == which {
                values.extend_from_slice(param.as_slice());
            }
        });
        values
    };
    assert_eq!(values(&model, "0.weight"), values(&start, "0.weight"));
    assert_ne!(values(&all, "0.weight"), values(&start, "0.weight"));
    assert_ne!(values(&model, "6.bias"), values(&all, "6.bias"));
}

#[test]
fn settings_out_of_range_are_errors_and_leave_the_model_alone() {
    let before = bits(&network());
    let refused = |optimizer: Optimizer<Adam>| {
        let (mut model, mut optimizer) = (network(), optimizer);
        let (x, labels) = data();
        accumulate(&mut model, &CrossEntropy::default(), x, &labels, None).unwrap();
        let text = optimizer.step(&mut model).unwrap_err().to_string();
        let trained = |model: &Sequential| {
            let mut bits = Vec::new();
            model.visit_params(&mut |_, param| {
                if param.is_trainable() {
                    bits.extend(param.as_slice().iter().map(|v| v.to_bits()));
                }
            });
            bits
        };
        assert_eq!(trained(&model), trained(&network()));
        text
    };
    let adam = || Optimizer::new(Adam::default());
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(refused(adam().clip_value(wrong)).contains("a clipping value of above 0"));
        assert!(
            refused(adam().clip_norm_per_parameter(wrong)).contains("a clipping norm for each parameter")
        );
    }
    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(
            refused(adam().group(Group::matching("*").learning_rate_factor(wrong)))
                .contains("a rate's factor")
        );
        assert!(refused(adam().group(Group::matching("*").weight_decay(wrong))).contains("a weight decay"));
        assert!(refused(Optimizer::new(Adam::default().weight_decay(wrong))).contains("a weight decay"));
        assert!(refused(adam().average(Averaging::exponential(wrong))).contains("a decay of averages"));
    }
    assert!(refused(adam().average(Averaging::uniform().every(0))).contains("the steps between averages"));
    assert_eq!(
        refused(adam().batches_per_step(0)),
        "the optimiser: expected batches in a step of at least 1, found 0. 1 takes a step after each batch."
    );
    assert_eq!(
        refused(adam().group(Group::matching("*.gamma"))),
        "the optimiser, group \"*.gamma\": expected a pattern that fits a parameter's name, \
         found none among 0.weight, 2.weight, 2.bias, 3.weight, …. \
         Write names as the model has them; * stands for any characters."
    );
    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(
            refused(adam().group(Group::matching("*").l1(wrong))).contains("an l1 penalty of at least 0")
        );
        assert!(
            refused(adam().group(Group::matching("*").l2(wrong))).contains("an l2 penalty of at least 0")
        );
    }
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(
            refused(adam().group(Group::matching("*").max_norm(wrong))).contains("a max norm of above 0")
        );
    }
    assert_eq!(
        refused(adam().group(Group::matching("*.bias").max_norm(3.0))),
        "the optimiser, group \"*.bias\": expected a max norm for weights, of two axes or more, \
         found parameters of one. Name the weight: \"0.weight\" is that of layer 0."
    );
    let (mut model, (x, labels)) = (network(), data());
    let mut free = Optimizer::new(ScheduleFreeAdamW::default()).group(Group::matching("*").max_norm(3.0));
    accumulate(&mut model, &CrossEntropy::default(), x, &labels, None).unwrap();
    assert_eq!(
        free.step(&mut model).unwrap_err().to_string(),
        "the optimiser, group \"*\": expected a max norm for a rule that keeps no averages of its own, \
         found one that does. Leave it out, or take a rule such as `AdamW` with `average`."
    );
    assert_eq!(bits(&network()), before);
}

#[test]
fn a_gradient_that_is_not_finite_is_refused_where_norms_are_taken() {
    let adam = || Optimizer::<Adam>::new(Adam::default());
    for mut optimizer in [adam().clip_norm(1.0), adam().clip_norm_per_parameter(1.0).batches_per_step(2)] {
        let mut model = Sequential::builder([2]).layer(Dense::units(1)).build().unwrap();
        let before = bits(&model);
        let mut step = |numbers: [f32; 2]| {
            let mut result = Ok(());
            for number in numbers {
                model.visit_params_mut(&mut |_, param| {
                    let gradient = Tensor::from_elem(param.value().raw_dim(), number);
                    param.add_gradient(&gradient).unwrap();
                });
                result = result.and(optimizer.step(&mut model));
            }
            (result.map_err(|error| error.to_string()), bits(&model), optimizer.steps())
        };
        for wrong in [f32::NAN, f32::INFINITY] {
            let text = "the gradient of 0.weight is not finite (NaN or infinity), noticed at step 1. Training diverged: \
                        lower the learning rate, scale the inputs, or leave such a batch out; its gradients are \
                        forgotten.";
            assert_eq!(step([wrong, wrong]), (Err(text.to_owned()), before.clone(), 0));
        }
        let (result, after, steps) = step([0.5, 0.5]);
        assert!(result.is_ok() && steps > 0 && after != before);
        assert!(after.iter().all(|bits| f32::from_bits(*bits).is_finite()), "nothing of them is left");
    }
}
