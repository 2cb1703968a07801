//! The direction in which a value improves is set by the metric or by the user, never guessed from its name.

use ndarray::Array2;
use plywood::optim::ReduceOnPlateau;
use plywood::prelude::*;
use plywood::train::{Checkpoints, Direction, Epoch, Search, Space};

/// The mean absolute percentage error, under a name that reveals no direction.
#[derive(Clone)]
struct Mape {
    sum: f64,
    count: f64,
    direction: Option<Direction>,
}

fn mape(direction: Option<Direction>) -> Mape {
    Mape { sum: 0.0, count: 0.0, direction }
}

impl Metric<Tensor> for Mape {
    fn name(&self) -> &str {
        "mape"
    }
    fn reset(&mut self) {
        *self = mape(self.direction);
    }
    fn update(&mut self, output: &Tensor, target: &Tensor, _: Option<&[f32]>) -> Result<()> {
        self.sum += output.iter().zip(target).map(|(y, t)| f64::from(((y - t) / t).abs())).sum::<f64>();
        self.count += output.len() as f64;
        Ok(())
    }
    fn value(&self) -> f64 {
        self.sum / self.count
    }
    fn direction(&self) -> Option<Direction> {
        self.direction
    }
}

fn data() -> ArrayDataset<f32, Array2<f32>> {
    let x = Array2::from_shape_fn((40, 1), |(i, _)| 1.0 + (i % 8) as f32 / 8.0);
    ArrayDataset::new(x.clone(), x * 2.0).unwrap()
}

fn model() -> Sequential {
    Sequential::builder([1]).seed(2).layer(Dense::units(1)).build().unwrap()
}

fn trainer(direction: Option<Direction>) -> Trainer<MeanSquaredError> {
    let trainer =
        Trainer::new(MeanSquaredError, SGD::default()).learning_rate(0.02).epochs(6).validation_split(0.25);
    trainer.metric(mape(direction)).progress(Progress::Silent)
}

/// A callback that records every epoch.
#[derive(Clone, Default)]
struct Seen(std::sync::Arc<std::sync::Mutex<Vec<Epoch>>>);

impl Callback for Seen {
    fn on_epoch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
        self.0.lock().unwrap().extend(context.ended().cloned());
        Ok(())
    }
}

#[test]
fn a_falling_error_of_ones_own_is_not_restored_to_its_first_epoch() {
    let said = || EarlyStopping::patience(2).monitor("val_mape").lower_is_better();
    let own = || EarlyStopping::patience(2).monitor("val_mape");
    for (direction, stopping) in [(None, said()), (Some(Direction::Lower), own())] {
        let mut trained = model();
        let mut t = trainer(direction).callback(stopping);
        let history = t.fit(&mut trained, &data()).unwrap();
        let values = history.get("val_mape");
        assert!(values.len() == 6 && values.is_sorted_by(|a, b| a > b), "it falls to the end: {values:?}");
        let tail = plywood::data::Subset::new::<f32>(&data(), (30..40).collect())
            .map(|s| s.indices().to_vec())
            .unwrap();
        let all = data();
        let tail = plywood::data::Subset::new::<f32>(&all, tail).unwrap();
        let left = t.evaluate(&trained, &tail).unwrap().get("mape");
        assert_eq!(left, values.last().copied(), "the last epoch is the best");
    }
}

#[test]
fn what_says_no_direction_is_refused_before_the_first_step() {
    let text = |trainer: Trainer<MeanSquaredError>| {
        let mut trainer = trainer;
        let text = trainer.fit(&mut model(), &data()).unwrap_err().to_string();
        assert_eq!(trainer.optimizer().steps(), 0);
        text
    };
    let expected = "the value to monitor must have a direction, lower or higher, got val_mape. Call \
                    `.lower_is_better()` or `.higher_is_better()`, or write `Metric::direction`.";
    let folder = std::env::temp_dir().join(format!("plywood-monitors-{}", std::process::id()));
    assert_eq!(
        text(trainer(None).callback(EarlyStopping::patience(2).monitor("val_mape"))),
        format!("fit, EarlyStopping: {expected}")
    );
    assert_eq!(
        text(trainer(None).reduce_on_plateau(ReduceOnPlateau::factor(0.5).monitor("val_mape"))),
        format!("fit, reduce on plateau: {expected}")
    );
    assert_eq!(
        text(trainer(None).checkpoints(Checkpoints::in_folder(&folder).keep_best("val_mape"))),
        format!("fit, the best checkpoint: {expected}")
    );
    assert!(!folder.exists());
    // A direction may be set before the value it is for.
    let checkpoints = Checkpoints::in_folder(&folder).lower_is_better().keep_best("val_mape");
    let kept = trainer(None).checkpoints(checkpoints).fit(&mut model(), &data());
    assert!(folder.join("best.checkpoint").exists());
    std::fs::remove_dir_all(&folder).unwrap();
    kept.unwrap();
    let unknown = text(trainer(None).callback(EarlyStopping::patience(2).monitor("val_mae")));
    assert!(
        unknown.contains("be one of the epoch's (loss, mape, val_loss, val_mape), got val_mae"),
        "{unknown}"
    );
    let search = |search: Search| {
        search.run(&data(), &KFold::new(2), |_, _| {
            let t = Trainer::new(MeanSquaredError, SGD::default()).metric(mape(None));
            Ok((model(), t.progress(Progress::Silent)))
        })
    };
    let space = || Space::new().choice("a", [1, 2]);
    let error = search(Search::grid(space()).monitor("val_mape")).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    search(Search::grid(space()).monitor("val_mape").lower_is_better()).unwrap();
}

#[test]
fn epochs_and_curves_know_the_directions() {
    let seen = Seen::default();
    trainer(None).callback(seen.clone()).fit(&mut model(), &data()).unwrap();
    let epochs = seen.0.lock().unwrap();
    let direction = |name: &str| epochs[0].direction(name);
    assert_eq!(direction("loss"), Some(Direction::Lower));
    assert_eq!(direction("val_loss"), Some(Direction::Lower));
    assert_eq!((direction("val_mape"), direction("no such value")), (None, None));
    drop(epochs);
    // The best epoch is marked only if the direction is known.
    #[cfg(feature = "plots")]
    {
        let history = trainer(None).fit(&mut model(), &data()).unwrap();
        let mut said = history.clone();
        said.epochs.iter_mut().for_each(|epoch| epoch.directions = vec![Some(Direction::Lower); 4]);
        let svg = |history| plywood::plot::curve(history, "mape").unwrap().to_svg();
        assert!(svg(&said).len() > svg(&history).len());
        let svg = |history| plywood::plot::curve(history, "loss").unwrap().to_svg();
        assert_eq!(svg(&said), svg(&history));
    }
}

/// A ranking by a user-defined error lists the lowest first.
#[test]
fn a_search_ranks_by_the_direction() {
    let run = |direction| {
        let search = Search::grid(Space::new().choice("rate", [0.0, 0.02])).monitor("val_mape");
        let results = search.run(&data(), &KFold::new(2), |trial, _| {
            let t =
                Trainer::new(MeanSquaredError, SGD::default()).learning_rate(trial.number("rate")?).epochs(5);
            Ok((model(), t.metric(mape(direction)).progress(Progress::Silent)))
        });
        results.unwrap().best().number("rate").unwrap()
    };
    assert_eq!(run(Some(Direction::Lower)), 0.02);
    assert_eq!(run(Some(Direction::Higher)), 0.0);
}

/// A constant R² of -1 is a plateau just as +1 is, and decreasing values are not an improvement.
#[test]
fn a_plateau_below_zero_is_one() {
    for value in [1.0, -1.0] {
        let how = ReduceOnPlateau::factor(0.5).patience(2).monitor("val_r2").higher_is_better();
        let mut optimizer: Optimizer =
            Optimizer::new(SGD::default()).learning_rate(1.0).reduce_on_plateau(how);
        for _ in 0..10 {
            optimizer.observe(value).unwrap();
        }
        assert_eq!(optimizer.learning_rate_at(1), 0.125, "three reductions at {value}");
    }
    let how = ReduceOnPlateau::factor(0.5).patience(2).monitor("val_r2").higher_is_better();
    let mut worse: Optimizer = Optimizer::new(SGD::default()).learning_rate(1.0).reduce_on_plateau(how);
    for step in 0..10 {
        worse.observe(-1.0 - 1e-5 * f64::from(step)).unwrap();
    }
    assert_eq!(worse.learning_rate_at(1), 0.125);
    let unsaid = ReduceOnPlateau::factor(0.5).monitor("val_r2");
    let mut unsaid: Optimizer = Optimizer::new(SGD::default()).reduce_on_plateau(unsaid);
    assert!(unsaid.observe(0.5).unwrap_err().to_string().contains(".higher_is_better()"));
}
