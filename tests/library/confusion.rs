//! The confusion matrix and its report: values checked by hand, table output, errors, and results as JSON.

use ndarray::arr2;
use plywood::metrics::{
    CalibrationBin, ConfusionMatrix, ErrorAnalysis, LabelReport, MeanStd, RocCurve, roc_curve,
};
use plywood::prelude::*;

/// Values computed by hand. A class that never occurs is left out of the macro mean, as in scikit-learn's
/// `classification_report`.
#[test]
fn the_report_by_hand() {
    let truth = [0, 0, 0, 1, 1, 2, 2, 2, 2];
    let predicted = [0, 1, 0, 1, 2, 2, 2, 0, 2];
    let report = ConfusionMatrix::new(4, &truth, &predicted).unwrap().report();
    let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
    assert!(close(report.classes[0].precision, 2. / 3.) && close(report.classes[0].recall, 2. / 3.));
    assert!(close(report.classes[1].precision, 0.5) && close(report.classes[1].f1, 0.5));
    assert!(close(report.classes[2].precision, 0.75) && close(report.classes[2].recall, 0.75));
    assert_eq!((report.classes[3].precision, report.classes[3].f1, report.classes[3].support), (0., 0., 0));
    assert!(close(report.accuracy, 6. / 9.));
    assert!(close(report.macro_mean.precision, (2. / 3. + 0.5 + 0.75) / 3.));
    assert!(close(report.weighted_mean.recall, 6. / 9.));
}

#[test]
fn tables_for_people() {
    let matrix =
        ConfusionMatrix::new(2, &[0, 0, 1], &[0, 1, 1]).unwrap().with_class_names(["T-shirt/top", "Bag"]);
    assert_eq!(matrix.to_string(), "true \\ predicted  0  1\n0  T-shirt/top    1  1\n1  Bag            ·  1");
    let expected = "               precision    recall        F1   support
T-shirt/top       1.0000    0.5000    0.6667         2
Bag               0.5000    1.0000    0.6667         1

accuracy                              0.6667         3
macro mean        0.7500    0.7500    0.6667         3
weighted mean     0.8333    0.6667    0.6667         3";
    assert_eq!(matrix.report().to_string(), expected, "\n{}", matrix.report());
}

#[test]
fn classes_that_do_not_occur_are_left_out_and_named() {
    let report = ConfusionMatrix::new(3, &[0, 1], &[0, 1]).unwrap().report();
    assert_eq!((report.macro_mean.f1, &report.absent[..]), (1.0, &[2][..]));
    let text = report.to_string();
    assert!(text.ends_with("\n\nThe macro mean is over 2 of 3 classes; 1 does not occur: 2."), "{text}");
    let report =
        ConfusionMatrix::new(9, &[0, 0], &[0, 8]).unwrap().with_class_names(["T-shirt", "Bag"]).report();
    assert_eq!(report.macro_mean.recall, 0.25, "a class that was only predicted counts");
    let text = report.to_string();
    assert!(text.ends_with("over 2 of 9 classes; 7 do not occur: 1 (Bag), 2, 3, 4, 5, …."), "{text}");
}

#[test]
fn what_does_not_fit_is_an_error() {
    assert!(ConfusionMatrix::new(0, &[], &[]).is_err());
    assert!(ConfusionMatrix::new(2, &[0], &[]).is_err());
    assert!(ConfusionMatrix::new(2, &[0], &[2]).is_err());
    assert!(ConfusionMatrix::new(2, &[], &[]).unwrap().accuracy().is_nan());
}

fn json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

#[test]
fn nan_and_infinity_come_back_from_json() {
    let curve = roc_curve(&[false, true], &[0.25, 0.5], None).unwrap();
    assert!(serde_json::to_string(&curve).unwrap().starts_with(r#"{"thresholds":["inf",0.5,0.25],"#));
    assert_eq!(json::<RocCurve>(&curve), curve);
    let old: RocCurve = serde_json::from_str(
        r#"{"thresholds":["inf",1,-1,"-inf"],"false_positive_rates":["NaN","NaN","NaN","NaN"],"true_positive_rates":[0,0,0,0]}"#,
    )
    .unwrap();
    assert_eq!(old.thresholds, [f64::INFINITY, 1.0, -1.0, f64::NEG_INFINITY]);
    assert!(old.false_positive_rates[0].is_nan());
    let wrong = r#"{"thresholds":["infinite"],"false_positive_rates":[],"true_positive_rates":[]}"#;
    let text = serde_json::from_str::<RocCurve>(wrong).unwrap_err().to_string();
    assert!(text.contains(r#"expected a number, "NaN", "inf" or "-inf""#), "{text}");

    let mut error = CalibrationError::bins(2);
    error.update(&arr2(&[[0.75f32, 0.25]]).into_dyn(), &[0usize][..], None).unwrap();
    let bins: Vec<CalibrationBin> = json(&error.reliability());
    assert!(bins[0].accuracy.is_nan() && bins[0].confidence.is_nan());
    assert_eq!((bins[1].accuracy, bins[1].confidence), (1.0, 0.75));
    let analysis = ErrorAnalysis::new(2, &[0, 1], &[0, 0], &[0.5, 0.75]).unwrap();
    assert!(json(&analysis).classes[1].accuracy.is_nan());
    assert_eq!(json(&analysis).to_string(), analysis.to_string());
    assert!(json(&ConfusionMatrix::new(2, &[], &[]).unwrap().report()).accuracy.is_nan());
    assert!(json(&MeanStd::of(&[])).mean.is_nan());
    let labels = arr2(&[[true, false]]);
    let report = LabelReport::new(&labels, &labels).unwrap();
    assert_eq!(json(&report), report);
}

#[test]
fn results_that_do_not_fit_together_are_not_read() {
    let matrix = ConfusionMatrix::new(2, &[0, 1], &[1, 1]).unwrap();
    assert_eq!(json(&matrix), matrix);
    for wrong in [
        r#"{"names":["a","b"],"counts":[1]}"#,
        r#"{"names":[],"counts":[]}"#,
        r#"{"names":["a"],"counts":[1,2]}"#,
        r#"{"names":["a","b"],"counts":[18446744073709551615,1,0,0]}"#,
    ] {
        let text = serde_json::from_str::<ConfusionMatrix>(wrong).unwrap_err().to_string();
        assert!(text.starts_with("the confusion matrix must have at least 1 class"), "{text}");
    }
    let analysis = serde_json::to_string(&ErrorAnalysis::new(2, &[0], &[1], &[0.5]).unwrap()).unwrap();
    for (from, to) in [
        (r#""predicted":1,"count""#, r#""predicted":2,"count""#),
        (r#""truth":0,"predicted":1,"confidence""#, r#""truth":7,"predicted":1,"confidence""#),
        (r#""names":["0","1"]"#, r#""names":["0"]"#),
    ] {
        assert!(analysis.contains(from), "{analysis}");
        let text =
            serde_json::from_str::<ErrorAnalysis>(&analysis.replace(from, to)).unwrap_err().to_string();
        assert!(text.starts_with("the error analysis must "), "{text}");
    }
    let mut changed = ErrorAnalysis::new(2, &[0], &[1], &[0.5]).unwrap();
    changed.mistakes[0].truth = 9;
    assert!(changed.to_string().contains("9 taken for 1"));
}

#[test]
fn long_names_are_cut_in_tables() {
    let long = "é".repeat(70_000);
    let names = [long.clone(), long.clone()];
    let matrix = ConfusionMatrix::new(2, &[0, 1], &[1, 1]).unwrap().with_class_names(names.clone());
    let analysis = ErrorAnalysis::new(2, &[0], &[1], &[0.5]).unwrap().with_class_names(names.clone());
    let labels = arr2(&[[true, false]]);
    let report = LabelReport::new(&labels, &labels).unwrap().with_label_names(names.clone());
    let absent = ConfusionMatrix::new(2, &[0], &[0]).unwrap().with_class_names(names);
    for text in [
        matrix.to_string(),
        matrix.report().to_string(),
        analysis.to_string(),
        report.to_string(),
        absent.report().to_string(),
    ] {
        assert!(text.contains(&format!("{}…", "é".repeat(59))), "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 200), "{text}");
    }
}
