//! The confusion matrix and its report: by hand, as tables, and what does not fit.

use plywood::ConfusionMatrix;

/// By hand. A class that never occurs is left out of the macro mean, as in scikit-learn's `classification_report`.
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
