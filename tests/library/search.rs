//! Hyperparameter search: which trials run, which are stopped, and how they are ranked. The results are always the
//! same, to the bit.

use ndarray::Array2;
use plywood::data::{HoldOut, StratifiedHoldOut};
use plywood::prelude::*;
use plywood::train::{Search, SearchResults, Space, Trial};

type Data = ArrayDataset<f32, Vec<usize>>;

/// Returns 160 points of two classes: is x + y above 1?
fn data() -> Data {
    let mut draws = Random::seed(1).at(0, 0);
    let x = Array2::from_shape_simple_fn((160, 2), || draws.unit() as f32);
    let labels: Vec<usize> = x.outer_iter().map(|row| usize::from(row.sum() > 1.0)).collect();
    ArrayDataset::new(x, labels).unwrap()
}

fn build(trial: &Trial, seed: u64) -> Result<(Sequential, Trainer<CrossEntropy>)> {
    let model = Sequential::builder([2])
        .seed(seed)
        .layer(Dense::units(trial.count("units")?))
        .layer(ReLU)
        .layer(Dense::units(2))
        .layer(Softmax)
        .build()?;
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default())
        .learning_rate(trial.number("rate")?)
        .epochs(6)
        .seed(seed)
        .metric(Accuracy::default());
    Ok((model, trainer))
}

fn space() -> Space {
    Space::new().integer("units", 2, 12).log_uniform("rate", 1e-5, 1e-1)
}

/// Returns everything in the results except the seconds.
fn bits(results: &SearchResults) -> String {
    let mut text = String::new();
    for tried in &results.trials {
        text += &format!("{} {:?} {:?}\n", tried.number, tried.trial, tried.error);
        for run in &tried.runs {
            let values: Vec<_> = run.history.epochs.iter().map(|epoch| &epoch.values).collect();
            text += &format!("  {} {} {} {:?} {values:?}\n", run.fold, run.seed, run.stopped, run.evaluation);
        }
    }
    text
}

#[test]
fn the_same_bits_for_any_number_of_jobs_and_threads() {
    let search = Search::random(space(), 20).seed(3).repeats(2).stop_hopeless(2);
    let run = |jobs: usize, threads: usize| {
        let _threads = crate::take_threads(threads);
        bits(&search.clone().jobs(jobs).run(&data(), &HoldOut::share(0.25), build).unwrap())
    };
    let one = run(1, 1);
    assert!(one.contains(" true "), "a trial is stopped, else this test shows less than it says:\n{one}");
    for (jobs, threads) in [(1, 3), (2, 1), (5, 4), (64, 2)] {
        assert!(run(jobs, threads) == one, "{jobs} jobs, {threads} threads");
    }
}

#[test]
fn a_run_is_a_plain_training_on_a_plain_split() {
    let data = data();
    let results =
        Search::random(space(), 2).seed(5).run(&data, &StratifiedHoldOut::share(0.25).seed(9), build);
    for tried in results.unwrap().trials {
        let (train, held_out) = stratified_split::<f32, _>(&data, 0.25, 9).unwrap();
        let (mut model, trainer) = build(&tried.trial, 5).unwrap();
        let mut trainer = trainer.progress(Progress::Silent);
        let history = trainer.fit_with_validation(&mut model, &train, &held_out).unwrap();
        let run = &tried.runs[0];
        assert_eq!(run.history.get("val_loss"), history.get("val_loss"));
        assert_eq!(run.evaluation, trainer.evaluate(&model, &held_out).unwrap());
        assert_eq!((run.value, run.seed, run.fold), (run.evaluation.loss, 5, 0));
    }
}

#[test]
fn early_stopping_may_watch_and_the_value_is_that_of_the_weights_it_leaves() {
    let search =
        Search::grid(Space::new().choice("units", [8]).choice("rate", [0.5])).monitor("val_accuracy");
    let results = search
        .run(&data(), &HoldOut::share(0.25), |trial, seed| {
            let (model, trainer) = build(trial, seed)?;
            Ok((model, trainer.epochs(30).callback(EarlyStopping::patience(30).monitor("val_accuracy"))))
        })
        .unwrap();
    let run = &results.trials[0].runs[0];
    let best = run.history.get("val_accuracy").into_iter().fold(0.0, f64::max);
    assert_eq!(run.value, best);
}

#[test]
fn every_fold_and_repeat_has_its_run() {
    let search = Search::grid(Space::new().choice("units", [2, 4]).choice("rate", [0.01])).seed(7).repeats(2);
    let results = search.run(&data(), &KFold::new(3).seed(1), build).unwrap();
    for tried in &results.trials {
        let places: Vec<(u64, usize)> = tried.runs.iter().map(|run| (run.seed, run.fold)).collect();
        assert_eq!(places, [(7, 0), (7, 1), (7, 2), (8, 0), (8, 1), (8, 2)]);
        assert_eq!((tried.value().runs, tried.epochs()), (6, 36));
    }
    assert!(results.trials[0].value().mean <= results.trials[1].value().mean);
}

#[test]
fn hopeless_trials_are_stopped_and_come_after_the_others() {
    // The eight trials of the first wave run to the end. Of the others, those that learn nothing are stopped.
    let rates = [0.05; 8].into_iter().chain([0.0, 0.05, 0.0]);
    let space = Space::new().choice("units", [8]).choice("rate", rates);
    let search = Search::grid(space).repeats(2).stop_hopeless(3);
    let results = search.run(&data(), &HoldOut::share(0.25), build).unwrap();
    let stopped: Vec<_> = results.trials.iter().filter(|tried| tried.is_stopped()).collect();
    assert_eq!(stopped.iter().map(|tried| tried.number).collect::<Vec<_>>(), [8, 10]);
    for tried in stopped {
        assert_eq!((tried.runs.len(), tried.epochs()), (1, 3)); // the second run was not started
    }
    assert!(results.trials[..9].iter().all(|tried| tried.runs.len() == 2 && tried.epochs() == 12));
    assert!(results.to_string().contains("stopped"), "{results}");

    let all = Search::grid(Space::new().choice("units", [8]).choice("rate", [0.0; 9]));
    let results = all.stop_hopeless(1).run(&data(), &HoldOut::share(0.25), build).unwrap();
    assert!(!results.trials.iter().any(|tried| tried.is_stopped()), "as bad as the others is not worse");
}

#[test]
fn a_trial_that_fails_is_told_and_the_others_go_on() {
    let space = Space::new().choice("units", [4, 0]).choice("rate", [0.01, 1e38]);
    let results = Search::grid(space).run(&data(), &HoldOut::share(0.25), build).unwrap();
    assert_eq!(results.best().to_string(), "units 4, rate 0.01");
    let errors: Vec<String> =
        results.trials[1..].iter().map(|tried| tried.error.as_ref().unwrap().to_string()).collect();
    assert!(errors[0].contains("is not finite") && errors[1].contains("units"), "{errors:?}");
    let table = results.to_string();
    assert!(errors.iter().all(|error| table.contains(error)), "{table}");
}

#[test]
fn what_is_wrong_everywhere_is_an_error_of_the_search() {
    let data = data();
    let space = || Space::new().choice("units", [4, 8]).choice("rate", [0.01]);
    let run = |search: Search| search.run(&data, &HoldOut::share(0.25), build).unwrap_err().to_string();
    let unknown = Search::grid(space()).monitor("val_f1");
    assert_eq!(
        run(unknown),
        "search, 2 trials failed, the first (units 4, rate 0.01), fit, search: the value to monitor must be one \
         of the epoch's (loss, accuracy, val_loss, val_accuracy), got val_f1. Write one of these names, or add \
         the metric to the trainer."
    );
    let missing = Search::grid(Space::new().choice("units", [4]));
    assert_eq!(
        run(missing),
        "search, 1 trial failed, the first (units 4): the hyperparameter must be one of the trial's (units), got \
         \"rate\". Read a dimension of the space, or add it there."
    );
    let word = Search::grid(Space::new().choice("units", ["many"]).choice("rate", [0.01]));
    assert!(run(word).contains("the hyperparameter \"units\" must be a count, got many"));
    assert_eq!(
        run(Search::grid(space()).repeats(0)),
        "search: `repeats` must be from 1 to 1000, got 0. 3 to 5 are usual."
    );
    assert!(run(Search::grid(space()).repeats(usize::MAX)).contains("`repeats` must be from 1 to 1000"));
    assert!(
        run(Search::random(space(), 0)).starts_with("search: the number of trials must be from 1 to 10000")
    );
    assert!(
        run(Search::grid(Space::new())).starts_with("search: the number of dimensions must be at least 1")
    );
    let share = Search::grid(space()).run(&data, &HoldOut::share(1.5), build).unwrap_err().to_string();
    assert!(
        share.starts_with("search: the share of the second part must") && share.contains("1.5"),
        "{share}"
    );
    let split = Search::grid(space()).run(&data, &HoldOut::share(0.25), |trial, seed| {
        build(trial, seed).map(|(model, trainer)| (model, trainer.validation_split(0.1)))
    });
    assert!(split.unwrap_err().to_string().contains("Leave `validation_split` out"));
}
