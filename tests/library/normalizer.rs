//! Normalizers fitted on training data, compared with scikit-learn.

use ndarray::{Array2, Array3, array};
use plywood::data::Subset;
use plywood::prelude::*;
use serde_json::Value;

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect())
        .collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * b.abs().max(1.0)
}

#[test]
fn the_numbers_are_scikit_learns() {
    let reference: Value = serde_json::from_str(include_str!("../sklearn/data.json")).unwrap();
    let reference = &reference["scalers"];
    let (x, y) = (matrix(&reference["x"]), matrix(&reference["y"]));
    let data = ArrayDataset::new(x.clone(), vec![0; x.nrows()]).unwrap();
    let numbers = |name: &str| -> Vec<f64> {
        reference[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let standard = Normalizer::standard().fit::<f64, _>(&data).unwrap();
    assert!(standard.center().iter().zip(numbers("mean")).all(|(&a, b)| close(a, b)));
    assert!(standard.scale().iter().zip(numbers("scale")).all(|(&a, b)| close(a, b)), "{standard:?}");
    let range = Normalizer::range(-1.0, 3.0).fit::<f64, _>(&data).unwrap();
    for (normalizer, name) in [(&standard, "standard"), (&range, "range")] {
        let expected = matrix(&reference[name]);
        let transformed = normalizer.transform(y.clone().into_dyn()).unwrap();
        // With values of 1e4 and a standard deviation of 1, four of the sixteen decimals are lost.
        assert!(transformed.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-10), "{name}");
        let back = normalizer.inverse(transformed).unwrap();
        assert!(back.iter().zip(&y).all(|(&a, &b)| close(a, b)), "{name}");
        // The normalized data set returns the same values as `transform`.
        let part = ArrayDataset::new(y.clone(), vec![0; 5]).unwrap();
        let mut batch = Batch::<f64, Vec<usize>>::default();
        normalizer.apply(&part).read(&[4, 0], Pass::Evaluate, &mut batch).unwrap();
        assert!((0..4).all(|j| (batch.inputs[0][[0, j]] - expected[[4, j]]).abs() < 1e-10));
    }
    let whole = Normalizer::standard().whole(true).fit_tensor(&x.into_dyn()).unwrap();
    let expected = [&reference["whole_mean"], &reference["whole_scale"]].map(|x| x.as_f64().unwrap());
    assert!(close(whole.center()[0], expected[0]) && close(whole.scale()[0], expected[1]), "{whole:?}");
    assert_eq!(whole.scale().len(), 1);
}

#[test]
fn the_training_part_alone_is_fitted() {
    let data = ArrayDataset::new(array![[0.0f32], [2.0], [1e6]], vec![0; 3]).unwrap();
    let train = Subset::new::<f32>(&data, vec![1, 0]).unwrap();
    let normalizer = Normalizer::standard().fit::<f32, _>(&train).unwrap();
    assert_eq!((normalizer.center()[0], normalizer.scale()[0]), (1.0, 1.0));
    let mut batch = Batch::<f32, Vec<usize>>::default();
    normalizer.apply(&data).read(&[2], Pass::Evaluate, &mut batch).unwrap();
    assert_eq!(batch.inputs[0][[0, 0]], 999_999.0);
}

#[test]
fn images_keep_their_shape_and_bytes_their_storage() {
    let images = Array3::from_shape_fn((4, 2, 3), |(i, j, k)| (i * 60 + j * 10 + k) as u8);
    let data = ArrayDataset::new(images, vec![0; 4]).unwrap();
    let normalizer = Normalizer::range(0.0, 1.0).whole(true).fit::<f32, _>(&data).unwrap();
    let normal = normalizer.apply(data);
    let mut batch = Batch::<f32, Vec<usize>>::default();
    normal.read(&[0, 3], Pass::Evaluate, &mut batch).unwrap();
    assert_eq!(Dataset::<f32>::input_shapes(&normal).only(), Some(&[2, 3][..]));
    assert_eq!((batch.inputs[0][[0, 0, 0]], batch.inputs[0][[1, 1, 2]]), (0.0, 1.0));
}

#[test]
fn saved_numbers_come_back_and_damaged_ones_are_refused() {
    let normalizer =
        Normalizer::standard().fit_tensor(&array![[1.0f64, 0.1], [2.0, 0.7]].into_dyn()).unwrap();
    let text = serde_json::to_string(&normalizer).unwrap();
    assert_eq!(serde_json::from_str::<Normalizer>(&text).unwrap(), normalizer);
    for (from, to) in [("\"shape\":[2]", "\"shape\":[3]"), ("\"scale\":[0.5", "\"scale\":[0.0"), ("0.5,", "")]
    {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text);
        assert!(serde_json::from_str::<Normalizer>(&bad).is_err(), "{bad}");
    }
    let overflow = r#"{"shape":[4294967296,4294967296,4],"center":[0.0,0.0],"scale":[1.0,1.0]}"#;
    assert!(serde_json::from_str::<Normalizer>(overflow).is_err());
}

#[test]
fn hostile_numbers_are_errors() {
    let fit = |x: Array2<f64>| Normalizer::standard().fit_tensor(&x.into_dyn()).map_err(|e| e.to_string());
    for bad in [f64::NAN, f64::INFINITY] {
        let text = fit(array![[1.0, 2.0], [bad, 3.0]]).unwrap_err();
        assert!(text.contains("feature 0 of sample 1 must be a finite number"), "{text}");
    }
    assert!(fit(array![[1e200], [-1e200]]).is_err(), "squares overflow");
    assert!(fit(Array2::zeros((0, 3))).is_err() && fit(Array2::zeros((3, 0))).is_err());
    assert!(Normalizer::standard().fit_tensor(&ndarray::arr0(1.0f32).into_dyn()).is_err());
    let one = array![[1.0f64], [2.0]].into_dyn();
    for (low, high) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
        assert!(Normalizer::range(low, high).fit_tensor(&one).is_err());
    }
    let normalizer = Normalizer::standard().fit_tensor(&one).unwrap();
    assert_eq!(
        normalizer.transform(array![[1.0f32, 2.0]].into_dyn()).unwrap_err().to_string(),
        "the numbers to normalize must have shape [samples, …] with [1] for a sample, got [1, 2]. A normalizer \
         takes what it was fitted on."
    );
    let wide = ArrayDataset::new(array![[1.0f32, 2.0]], vec![0]).unwrap();
    assert!(normalizer.apply(wide).read(&[0], Pass::Evaluate, &mut Batch::<f32, _>::default()).is_err());
}
