//! What optimizers do for all update rules, tested through training: restored state, steps over several batches,
//! averages, parameter groups, and errors of invalid settings.

use plywood::io::State;
use plywood::ndarray::Array2;
use plywood::optim::*;
use plywood::prelude::*;
use plywood::train::accumulate;
use std::sync::{Arc, Mutex};

/// Returns ids for an embedding, and labels that depend on them.
fn data() -> (Tensor, Vec<usize>) {
    let ids = Array2::from_shape_fn((24, 3), |(i, j)| ((i * 5 + j * 7) % 11) as f32);
    let labels = ids.outer_iter().map(|row| usize::from(row.sum() > 15.0)).collect();
    (ids.into_dyn(), labels)
}

/// Builds a network with gradients by rows, as products and dense, with a buffer, and with dropout.
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

fn bits(model: &dyn Model) -> Vec<u32> {
    let mut bits = Vec::new();
    model.each_param(&mut |_, param| bits.extend(param.as_slice().iter().map(|v| v.to_bits())));
    bits
}

/// Takes steps on batches of six, and returns the weights for evaluation after each.
fn train(
    model: &mut Sequential,
    optimizer: &mut Optimizer,
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

/// Training that is interrupted after some number of batches resumes with the same bits.
fn resumes(make: impl Fn() -> Optimizer) {
    let (mut model, mut optimizer) = (network(), make());
    let whole = train(&mut model, &mut optimizer, 0..12);
    for cut in [1, 4, 5] {
        let (mut model, mut optimizer) = (network(), make());
        assert_eq!(train(&mut model, &mut optimizer, 0..cut), whole[..cut]);
        let state = optimizer.state(&model);
        let text = serde_json::to_string(&state).unwrap();
        let saved: State = serde_json::from_str(&text).unwrap();
        assert_eq!(saved, state);
        let mut model = Sequential::from_bytes(&model.to_bytes().unwrap(), &Registry::builtin()).unwrap();
        let mut optimizer = make();
        optimizer.load_state(&mut model, saved).unwrap();
        assert_eq!(optimizer.state(&model), state);
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

/// Returns each update rule of the crate, with changed settings and with its defaults.
fn rules() -> Vec<[Box<dyn UpdateRule>; 2]> {
    fn pair<R: UpdateRule + Default>(other: R) -> [Box<dyn UpdateRule>; 2] {
        [Box::new(other), Box::new(R::default())]
    }
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    vec![
        pair(SGD::default().momentum(nan).nesterov(true).weight_decay(-inf)),
        pair(Adam::default().betas(nan, inf).epsilon(-0.0).weight_decay(2.0).amsgrad(true)),
        pair(AdamW::default().betas(0.5, nan).epsilon(inf).weight_decay(nan).amsgrad(true)),
        pair(Adadelta::default().rho(nan).epsilon(inf).weight_decay(0.5)),
        pair(Adagrad::default().initial_sum(nan).epsilon(inf).learning_rate_decay(0.5).weight_decay(0.25)),
        pair(Adamax::default().betas(nan, inf).epsilon(-inf).weight_decay(0.5)),
        pair(Lion::default().betas(nan, inf).weight_decay(0.5)),
        pair(Muon::default().momentum(nan).nesterov(false).rounds(9).matched_scale(false).weight_decay(inf)),
        pair(Muon::default().adamw(AdamW::default().betas(0.25, 0.5).amsgrad(true))),
        pair(NAdam::default().betas(nan, 0.5).epsilon(inf).momentum_decay(2.0).decoupled(true)),
        pair(RAdam::default().betas(nan, inf).epsilon(2.0).weight_decay(0.5).decoupled(true)),
        pair(RMSprop::default().alpha(nan).epsilon(inf).momentum(0.5).centered(true).weight_decay(0.5)),
        pair(ScheduleFreeAdamW::default().betas(nan, inf).epsilon(2.0).weight_decay(0.5)),
    ]
}

fn default_of(i: usize) -> Box<dyn UpdateRule> {
    let [_, default] = rules().swap_remove(i);
    default
}

/// The state of a rule holds its settings and what it has accumulated, to the bit, and loads only into a rule of the
/// same kind.
#[test]
fn a_rules_state_holds_all_its_numbers_and_loads_into_its_own_kind_alone() {
    for [mut rule, mut loaded] in rules() {
        // Some rules accumulate values from step to step.
        for number in 1..4 {
            let _ = rule.begin_step(Step::new(number, 0.25));
        }
        assert_ne!(format!("{rule:?}"), format!("{loaded:?}"));
        let text = serde_json::to_string(&rule.state()).unwrap();
        let mut state: State = serde_json::from_str(&text).unwrap();
        loaded.load_state(&mut state).unwrap();
        assert_eq!(state.names().next(), None, "{loaded:?}");
        assert_eq!(format!("{rule:?}"), format!("{loaded:?}"));
        // A state without its last entry is refused and changes nothing.
        let mut lacks = loaded.state();
        let last = lacks.names().last().unwrap().to_owned();
        let _ = (
            lacks.take_number(&last).is_ok(),
            lacks.take_flag(&last).is_ok(),
            lacks.take_nested(&last).is_ok(),
        );
        assert!(loaded.load_state(&mut lacks).is_err(), "{rule:?}");
        assert_eq!(format!("{rule:?}"), format!("{loaded:?}"));
    }
    let kinds: Vec<&str> = rules().iter().map(|[rule, _]| rule.kind().name()).collect();
    for (i, [_, from]) in rules().into_iter().enumerate() {
        let (mut model, mut saving) = (network(), Optimizer::new(from));
        train(&mut model, &mut saving, 0..1);
        let state = saving.state(&model);
        for (j, [_, into]) in rules().into_iter().enumerate() {
            let (before, mut loading) = (format!("{into:?}"), Optimizer::new(into));
            let loaded = loading.load_state(&mut model, state.clone());
            assert_eq!(loaded.is_ok(), kinds[i] == kinds[j], "{} into {}: {loaded:?}", kinds[i], kinds[j]);
            assert!(loaded.is_ok() || format!("{loading:?}").contains(&before));
        }
    }
}

/// Loading a state into a rule that has taken other steps replaces everything that the rule has accumulated.
#[test]
fn a_state_takes_the_place_of_what_was_gathered() {
    for saved in [0, 1, 3] {
        for taken in [0, 1, 4] {
            for (i, [_, rule]) in rules().into_iter().enumerate() {
                let (mut model, mut optimizer) = (network(), Optimizer::new(rule));
                train(&mut model, &mut optimizer, 0..saved);
                let (bytes, state) = (model.to_bytes().unwrap(), optimizer.state(&model));
                let expected = train(&mut model, &mut optimizer, saved..saved + 2);
                let (mut other, mut second) = (network(), Optimizer::new(default_of(i)));
                train(&mut other, &mut second, 0..taken);
                let mut model = Sequential::from_bytes(&bytes, &Registry::builtin()).unwrap();
                second.load_state(&mut model, state).unwrap();
                let found = train(&mut model, &mut second, saved..saved + 2);
                assert_eq!(found, expected, "rule {i}, saved after {saved}, loaded after {taken}");
            }
        }
    }
}

/// A change that makes a state invalid.
type Damage<'a> = &'a dyn Fn(&mut State);

#[test]
fn a_state_that_does_not_belong_is_refused_and_changes_nothing() {
    let (mut model, mut optimizer) =
        (network(), Optimizer::new(Adam::default()).average(Averaging::uniform()));
    train(&mut model, &mut optimizer, 0..2);
    let state = optimizer.state(&model);
    let (before, steps) = (bits(&model), optimizer.steps());
    let mut refused = |change: Damage<'_>| {
        let mut state = state.clone();
        change(&mut state);
        let text = optimizer.load_state(&mut model, state).unwrap_err().to_string();
        assert_eq!((bits(&model), optimizer.steps()), (before.clone(), steps));
        text
    };
    let text = |kind: &'static str| {
        move |state: &mut State| {
            state.take_text("rule").unwrap();
            *state = std::mem::take(state).text("rule", kind);
        }
    };
    assert_eq!(
        refused(&text("sgd")),
        "the optimizer's state: the state must be of the rule adam, got sgd. Resume with the optimizer that the \
         state was taken from."
    );
    // Changes the entries of 0.weight.
    let weight = |state: &mut State, change: &dyn Fn(State) -> State| {
        let mut parameters = state.take_nested("parameters").unwrap();
        let own = parameters.take_nested("0.weight").unwrap();
        *state = std::mem::take(state).nested("parameters", parameters.nested("0.weight", change(own)));
    };
    let without = |mut own: State, name: &str| {
        own.take_array(name).unwrap();
        own
    };
    let five = || Tensor::<f32>::zeros(vec![5]);
    let integer = |state: &mut State, name: &str, number: u64| {
        state.take_integer::<u64>(name).unwrap();
        *state = std::mem::take(state).integer(name, number);
    };
    let damages: &[(&str, Damage<'_>)] = &[
        ("the state must be of this model, got one with a parameter 9.weight", &|s| {
            let mut parameters = s.take_nested("parameters").unwrap();
            let own = parameters.take_nested("0.weight").unwrap();
            *s = std::mem::take(s).nested("parameters", parameters.nested("9.weight", own));
        }),
        ("one with a parameter 0.weight", &|s| {
            let mut parameters = s.take_nested("parameters").unwrap();
            let own = parameters.take_nested("0.weight").unwrap();
            parameters = parameters.nested("0.weight", own.clone()).nested("0.weight", own);
            *s = std::mem::take(s).nested("parameters", parameters);
        }),
        ("entries left, got \"0\"", &|s| weight(s, &|own| own.array("0", five()))),
        ("entries left, got \"nonsense\"", &|s| weight(s, &|own| own.array("nonsense", five()))),
        ("the number of slots must be 2, as in the rule, got 1", &|s| {
            weight(s, &|own| without(own, "1"));
        }),
        ("the parameter 0.weight must have shape [5]", &|s| {
            weight(s, &|own| without(own, "0").array("0", five()));
        }),
        ("the parameter 0.weight must have shape [5]", &|s| {
            weight(s, &|own| without(own, "average").array("average", five()));
        }),
        ("the number \"steps\" must be at most", &|s| integer(s, "steps", u64::MAX)),
        ("waited", &|s| {
            let mut plateau = s.take_nested("plateau").unwrap();
            integer(&mut plateau, "waited", 1 << 60);
            *s = std::mem::take(s).nested("plateau", plateau);
        }),
        ("a whole number named \"steps\"", &|s| drop(s.take_integer::<u64>("steps"))),
        ("a flag named \"exchanged\"", &|s| drop(s.take_flag("exchanged"))),
        ("entries left, got \"more\"", &|s| *s = std::mem::take(s).flag("more", true)),
        ("decay", &|s| {
            let mut settings = s.take_nested("settings").unwrap();
            settings.take_number("decay").unwrap();
            *s = std::mem::take(s).nested("settings", settings);
        }),
        ("entries left, got \"more\"", &|s| {
            let settings = s.take_nested("settings").unwrap();
            *s = std::mem::take(s).nested("settings", settings.flag("more", true));
        }),
        ("the gradient", &|s| weight(s, &|own| own.array("gradient", Tensor::zeros(vec![1])))),
        ("the rows of the gradient", &|s| {
            weight(s, &|own| own.integers("rows", [1 << 40]).array("gradient", Tensor::zeros(vec![1, 4])));
        }),
        ("the gradient", &|s| {
            weight(s, &|own| own.integers("rows", [0, 1]).array("gradient", Tensor::zeros(vec![1, 4])));
        }),
        ("entries left, got \"rows\"", &|s| weight(s, &|own| own.integers("rows", [0]))),
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
        let trainer = Trainer::new(CrossEntropy::default().from_logits(true), Adam::default())
            .batches_per_step(batches);
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

/// A callback that records the model at the end of each epoch.
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
    let expected = "the optimizer: the model must hold its training weights, got their averages. Call \
                    `training_weights` before the forward pass.";
    assert_eq!(optimizer.step(&mut model).unwrap_err().to_string(), expected);

    // So is the step with the batches that are left.
    let mut optimizer = Optimizer::new(SGD::default()).batches_per_step(2).average(Averaging::uniform());
    train(&mut model, &mut optimizer, 0..3);
    let before = model.to_bytes().unwrap();
    assert_eq!(optimizer.flush(&mut model).unwrap_err().to_string(), expected);
    assert_eq!(model.to_bytes().unwrap(), before);
    optimizer.training_weights(&mut model).unwrap();
    optimizer.flush(&mut model).unwrap();
    assert_eq!(optimizer.steps(), 2);
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
    let refused = |optimizer: Optimizer| {
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
        assert!(refused(adam().clip_value(wrong)).contains("the clipping value must be positive"));
        assert!(
            refused(adam().clip_norm_per_parameter(wrong)).contains("the clipping norm of each parameter")
        );
    }
    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(
            refused(adam().group(Group::matching("*").learning_rate_factor(wrong)))
                .contains("the factor of the learning rate")
        );
        assert!(refused(adam().group(Group::matching("*").weight_decay(wrong))).contains("the weight decay"));
        assert!(refused(Optimizer::new(Adam::default().weight_decay(wrong))).contains("the weight decay"));
        assert!(refused(adam().average(Averaging::exponential(wrong))).contains("the decay of averages"));
    }
    assert!(
        refused(adam().average(Averaging::uniform().every(0)))
            .contains("the number of steps between averages")
    );
    assert_eq!(
        refused(adam().batches_per_step(0)),
        "the optimizer: the number of batches in a step must be at least 1, got 0. 1 takes a step after each batch."
    );
    assert_eq!(
        refused(adam().group(Group::matching("*.gamma"))),
        "the optimizer, group \"*.gamma\": the pattern must match a parameter's name, got names such as 0.weight, \
         2.weight, 2.bias, 3.weight. Write names as the model has them; `*` stands for any characters."
    );
    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(
            refused(adam().group(Group::matching("*").l1(wrong)))
                .contains("the L1 penalty must be at least 0")
        );
        assert!(
            refused(adam().group(Group::matching("*").l2(wrong)))
                .contains("the L2 penalty must be at least 0")
        );
    }
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(
            refused(adam().group(Group::matching("*").max_norm(wrong)))
                .contains("the max norm must be positive")
        );
    }
    assert_eq!(
        refused(adam().group(Group::matching("*.bias").max_norm(3.0))),
        "the optimizer, group \"*.bias\": the parameters of a group with a max norm must include weights of two \
         axes or more, got parameters of one axis. Name the weight: \"0.weight\" is that of layer 0."
    );
    let (mut model, (x, labels)) = (network(), data());
    let mut free = Optimizer::new(ScheduleFreeAdamW::default()).group(Group::matching("*").max_norm(3.0));
    accumulate(&mut model, &CrossEntropy::default(), x, &labels, None).unwrap();
    assert_eq!(
        free.step(&mut model).unwrap_err().to_string(),
        "the optimizer, group \"*\": the rule of a group with a max norm must keep no averages of its own, got \
         one that does. Leave the max norm out, or use a rule such as `AdamW` with `average`."
    );
    assert_eq!(bits(&network()), before);
}

#[test]
fn a_gradient_that_is_not_finite_is_refused_where_norms_are_taken() {
    let adam = || Optimizer::<f32>::new(Adam::default());
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
            let text = "the gradient of 0.weight is not finite (NaN or infinity), noticed at step 1. Training \
                        diverged: lower the learning rate, scale the inputs, or leave such a batch out; its \
                        gradients are discarded.";
            assert_eq!(step([wrong, wrong]), (Err(text.to_owned()), before.clone(), 0));
        }
        let (result, after, steps) = step([0.5, 0.5]);
        assert!(result.is_ok() && steps > 0 && after != before);
        assert!(after.iter().all(|bits| f32::from_bits(*bits).is_finite()), "nothing of them is left");
    }
}

/// If a parameter is frozen between two exchanges of weights and averages, all parameters are exchanged or none.
#[test]
fn a_parameter_that_is_frozen_for_a_while_keeps_its_trained_value_under_averaging() {
    let free = || Optimizer::new(ScheduleFreeAdamW::default()).learning_rate(0.05);
    let averaged = || Optimizer::new(SGD::default()).learning_rate(0.1).average(Averaging::exponential(0.9));
    for make in [&free as &dyn Fn() -> Optimizer, &averaged] {
        for freeze_before_exchange in [true, false] {
            let (mut model, mut optimizer) = (network(), make());
            train(&mut model, &mut optimizer, 0..4);
            optimizer.training_weights(&mut model).unwrap();
            let trained = bits(&model);
            if freeze_before_exchange {
                model.freeze("0").unwrap();
            }
            optimizer.evaluation_weights(&mut model).unwrap();
            assert_ne!(bits(&model), trained);
            if freeze_before_exchange {
                model.unfreeze("0").unwrap();
            } else {
                model.freeze("0").unwrap();
            }
            optimizer.training_weights(&mut model).unwrap();
            assert_eq!(bits(&model), trained, "frozen before the exchange: {freeze_before_exchange}");
        }
    }
}
