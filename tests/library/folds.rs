//! Stratified splits, folds and cross-validation, compared with scikit-learn where it has them.

use ndarray::Array2;
use plywood::data::{Fold, Folds};
use plywood::prelude::*;
use plywood::train::{CrossValidation, Evaluation, cross_validate, cross_validate_with};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("../sklearn/data.json")).unwrap()
}

fn list(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

fn data(labels: Vec<usize>) -> ArrayDataset<f32, Vec<usize>> {
    ArrayDataset::new(Array2::from_shape_fn((labels.len(), 1), |(i, _)| i as f32), labels).unwrap()
}

type Data = ArrayDataset<f32, Vec<usize>>;

fn folds<'a>(how: &impl Folds<f32, Data>, data: &'a Data) -> Vec<Fold<'a, Data>> {
    how.folds(data).unwrap()
}

/// Counts the samples of each label below 10 at these positions.
fn counts(labels: &[usize], indices: &[usize]) -> Vec<usize> {
    (0..10).map(|label| indices.iter().filter(|&&i| labels[i] == label).count()).collect()
}

#[test]
fn without_a_seed_the_folds_are_scikit_learns() {
    let reference = reference();
    for case in reference["k_fold"].as_array().unwrap() {
        let data = data(vec![0; case["n"].as_u64().unwrap() as usize]);
        let folds = folds(&KFold::new(case["k"].as_u64().unwrap() as usize), &data);
        for ((train, test), expected) in folds.iter().zip(case["test"].as_array().unwrap()) {
            assert_eq!(test.indices(), list(expected));
            let mut all = [train.indices(), test.indices()].concat();
            all.sort_unstable();
            assert_eq!(all, (0..data.len()).collect::<Vec<_>>());
        }
    }
    for case in reference["stratified"].as_array().unwrap() {
        let data = data(list(&case["labels"]));
        let folds = folds(&StratifiedKFold::new(case["k"].as_u64().unwrap() as usize), &data);
        for ((_, test), expected) in folds.iter().zip(case["test"].as_array().unwrap()) {
            assert_eq!(test.indices(), list(expected));
        }
    }
}

#[test]
fn with_a_seed_the_counts_are_the_same_and_the_samples_others() {
    for case in reference()["stratified"].as_array().unwrap() {
        let data = data(list(&case["labels"]));
        let how = StratifiedKFold::new(case["k"].as_u64().unwrap() as usize);
        let plain = folds(&how, &data);
        let seeded = folds(&how.clone().seed(3), &data);
        let mut held_out = Vec::new();
        for ((_, a), (train, b)) in plain.iter().zip(&seeded) {
            assert_eq!(counts(data.targets(), a.indices()), counts(data.targets(), b.indices()));
            assert!(train.indices().is_sorted());
            held_out.extend_from_slice(b.indices());
        }
        held_out.sort_unstable();
        assert_eq!(held_out, (0..data.len()).collect::<Vec<_>>(), "each sample is held out once");
        let again = folds(&how.clone().seed(3), &data);
        assert!(seeded.iter().zip(&again).all(|(a, b)| a.1.indices() == b.1.indices()));
        assert!(plain.iter().zip(&seeded).any(|(a, b)| a.1.indices() != b.1.indices()));
    }
    let data = data(vec![0; 50]);
    let of = |seed| -> Vec<Vec<usize>> {
        folds(&KFold::new(4).seed(seed), &data).iter().map(|(_, test)| test.indices().to_vec()).collect()
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn a_stratified_split_has_scikit_learns_counts() {
    for case in reference()["split"].as_array().unwrap() {
        let labels = list(&case["labels"]);
        let data = data(labels.clone());
        let share = case["share"].as_f64().unwrap();
        let (train, test) = stratified_split::<f32, _>(&data, share, 1).unwrap();
        assert_eq!(counts(&labels, test.indices())[..5], list(&case["counts"]));
        let mut all = [train.indices(), test.indices()].concat();
        assert!(!test.indices().is_sorted() && !train.indices().is_sorted());
        all.sort_unstable();
        assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        let (_, again) = stratified_split::<f32, _>(&data, share, 1).unwrap();
        let (_, other) = stratified_split::<f32, _>(&data, share, 2).unwrap();
        assert_eq!(again.indices(), test.indices());
        assert_ne!(other.indices(), test.indices());
    }
}

#[test]
fn what_cannot_be_dealt_is_an_error() {
    let text = |result: plywood::Result<Vec<Fold<'_, Data>>>| result.err().unwrap().to_string();
    let (five, none) = (data(vec![0, 0, 0, 1, 2]), data(Vec::new()));
    assert_eq!(
        text(Folds::<f32, _>::folds(&KFold::new(6), &five)),
        "the number of folds must be from 2 to 5, the number of samples, got 6. 5 and 10 are usual."
    );
    for k in [0, 1] {
        assert!(text(Folds::<f32, _>::folds(&KFold::new(k), &five)).contains(&format!(", got {k}.")));
    }
    assert_eq!(
        text(Folds::<f32, _>::folds(&StratifiedKFold::new(4), &five)),
        "the number of folds must be from 2 to 3, the number of samples of the largest class, got 4. 5 and 10 are \
         usual."
    );
    assert!(Folds::<f32, _>::folds(&KFold::new(2), &none).is_err());
    assert!(Folds::<f32, _>::folds(&StratifiedKFold::new(2), &none).is_err());
    let split =
        |labels, share| stratified_split::<f32, _>(&data(labels), share, 0).err().map(|e| e.to_string());
    assert_eq!(
        split(vec![3, 3, 8, 3], 0.5).unwrap(),
        "class 8 must have at least 2 samples, got 1. Leave the class out, or use `random_split`."
    );
    assert_eq!(
        split([vec![0; 10], vec![usize::MAX; 10]].concat(), 0.05).unwrap(),
        "each part must have a sample of each of the 2 classes, got 19 samples in the first and 1 in \
         the second. Use more samples or another share."
    );
    assert!(split(vec![0; 4], f64::NAN).is_some() && split(vec![], 0.5).is_some());
}

#[test]
fn cross_validation_trains_anew_and_counts_each_fold_alike() {
    let data = data((0..30).map(|i| usize::from(i >= 15)).collect());
    let build = |fold: usize| {
        let model =
            Sequential::builder([1]).seed(fold as u64).layer(Dense::units(2)).layer(Softmax).build()?;
        let trainer = Trainer::new(CrossEntropy::default(), Adam::default())
            .metric(Accuracy::default())
            .batch_size(5)
            .epochs(2)
            .progress(Progress::Silent);
        Ok((model, trainer))
    };
    let run = || cross_validate(&data, &StratifiedKFold::new(3).seed(1), build).unwrap();
    let scores = run();
    assert_eq!(scores, run(), "the same bits");
    let losses = scores.get("loss").unwrap();
    let mean = losses.iter().sum::<f64>() / 3.0;
    let deviation = (losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
    assert_eq!((losses.len(), scores.mean("loss")), (3, Some(mean)));
    assert!((scores.std_dev("loss").unwrap() - deviation).abs() < 1e-15);
    assert_eq!(scores.get("precision"), None);
    let text = scores.to_string();
    assert!(
        text.starts_with("loss      ") && text.contains("\naccuracy  ") && text.contains(" ± "),
        "{text}"
    );

    // Training on fold 0 by hand gives the same scores.
    let folds = folds(&StratifiedKFold::new(3).seed(1), &data);
    let (mut model, mut trainer) = build(0).unwrap();
    trainer.fit(&mut model, &folds[0].0).unwrap();
    assert_eq!(trainer.evaluate(&model, &folds[0].1).unwrap(), scores.folds[0]);
}

#[test]
fn a_class_with_fewer_samples_than_folds_is_named_below_the_scores() {
    let shown = |how: &dyn Fn(&Data) -> plywood::Result<CrossValidation>, labels: Vec<usize>| {
        how(&data(labels)).unwrap().to_string()
    };
    let model = || Sequential::builder([1]).layer(Dense::units(13)).layer(Softmax).build();
    let trainer = || Trainer::new(CrossEntropy::default(), Adam::default()).progress(Progress::Silent);
    let stratified = |data: &Data| {
        cross_validate_with::<f32, _>(data, &StratifiedKFold::new(5).seed(1), |_, test| {
            trainer().evaluate(&model()?, test)
        })
    };
    let below =
        |text: String| text.lines().skip(1).map(|line| line.trim_start().to_owned()).collect::<Vec<_>>();
    // Class 4 comes first and has one sample; class 0 has six, class 2 three, and class 1 five, one for each fold.
    let labels = vec![4, 0, 0, 2, 1, 1, 0, 2, 1, 0, 1, 0, 2, 1, 0];
    assert_eq!(
        below(shown(&stratified, labels.clone())),
        [
            "class 2 has 3 samples for 5 folds: some folds have none of it",
            "class 4 has 1 sample for 5 folds: some folds have none of it"
        ]
    );
    assert!(below(shown(&stratified, [[0; 5], [7; 5]].concat())).is_empty());
    // Folds that ignore the classes report nothing about them.
    let plain = |data: &Data| {
        cross_validate_with::<f32, _>(data, &KFold::new(5), |_, test| trainer().evaluate(&model()?, test))
    };
    assert!(below(shown(&plain, labels)).is_empty());
    // If many classes are reported, only the first ones are listed.
    let many = below(shown(&stratified, [vec![0; 5], (1..13).collect()].concat()));
    assert_eq!((many.len(), many[10].as_str()), (11, "and 2 more"));
}

#[test]
fn errors_name_the_fold() {
    let data = data(vec![0; 6]);
    let mut fold = 0;
    let result = cross_validate_with::<f32, _>(&data, &KFold::new(3), |_, _| -> Result<Evaluation> {
        fold += 1;
        let (mut model, mut trainer) = (
            Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?,
            Trainer::new(CrossEntropy::default(), Adam::default()),
        );
        trainer.fit(&mut model, &self::data(vec![0; 4]))?;
        unreachable!("the shapes differ")
    });
    assert_eq!(
        result.unwrap_err().to_string(),
        "cross-validation, fold 0, fit: the samples must have shape [2], got [1]. The model was built for the \
         shape given to `Sequential::builder`."
    );
    assert_eq!(fold, 1);
    let build = |_| -> Result<(Sequential, Trainer<CrossEntropy>)> { unreachable!("no fold") };
    let text = cross_validate(&data, &KFold::new(7), build).unwrap_err().to_string();
    assert!(text.starts_with("cross-validation: the number of folds must be from 2 to 6"), "{text}");
}
