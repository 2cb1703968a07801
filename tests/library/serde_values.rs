//! Serde reads back what it writes: non-finite numbers, in human-readable and in binary formats. Contradictory values
//! are refused.

use plywood::losses::LossSum;
use plywood::predictor::{Classes, Labels, Numbers};
use plywood::preprocessing::{CategoryIdsEncoder, ColumnsEncoder, Features, Image};
use plywood::train::Value;
use plywood::{data::*, init::*, io::*, metrics::*, nn::*, train::*};
use serde::{Serialize, de::DeserializeOwned};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads this JSON, and writes it as JSON and through a binary format: it must be the same each time.
fn returns<T: Serialize + DeserializeOwned>(json: &str) {
    let value: T = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    assert_eq!(serde_json::to_string(&value).unwrap(), json);
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(&value, config).unwrap();
    let (value, read): (T, usize) = bincode::serde::decode_from_slice(&bytes, config).unwrap();
    assert_eq!((serde_json::to_string(&value).unwrap(), read), (json.to_owned(), bytes.len()));
}

/// Returns the error for invalid JSON, without serde's position.
fn refusal<T: DeserializeOwned>(json: &str) -> String {
    let error =
        serde_json::from_str::<T>(json).err().unwrap_or_else(|| panic!("{json} was read")).to_string();
    error.split(" at line").next().unwrap().to_owned()
}

/// The form of a file with the columns "b" and this one.
fn csv_form(name: &str) -> String {
    let column = |name: &str, column_type: &str| {
        let number = r#"{"decimal":",","thousands":null}"#;
        format!(r#"{{"name":"{name}","is_read":true,"column_type":{column_type},"number":{number}}}"#)
    };
    let columns = [column("b", r#""Number""#), column(name, r#"{"Date":"%d.%m.%Y"}"#)].join(",");
    let marks = r#""missing":["?"],"missing_numbers":["None"]"#;
    let start =
        r##""separator":59,"quotes":true,"header":true,"encoding":"UTF-8","comment":"#","skipped":1"##;
    format!("{{{start},{marks},\"columns\":[{columns}]}}")
}

#[test]
fn a_form_of_a_file_has_columns_of_different_names() {
    let found = refusal::<CsvForm>(&csv_form("b"));
    assert!(found.starts_with("the form of a CSV file must have distinct names, got \"b\" twice"), "{found}");
    let found = refusal::<CsvForm>(&csv_form("c").replace("59", "10"));
    assert!(found.starts_with("the form of a CSV file must have a separator, got 10"), "{found}");
    let found = refusal::<CsvForm>(&csv_form("c").replace("\"Number\"", "\"Image\""));
    assert!(found.starts_with("the form of a CSV file must have columns that a field can hold"), "{found}");
}

#[test]
fn numbers_that_are_not_finite_return_from_results() {
    let epoch = r#"{"number":1,"values":[["loss","NaN"],["r2","-inf"],["x",0.5]],"learning_rate":"inf","directions":["Lower",null,"Higher"],"seconds":"NaN"}"#;
    returns::<Epoch>(epoch);
    returns::<LossSum>(r#"{"sum":"inf","weight":"NaN"}"#);
    returns::<Classes>(r#"{"names":["a","b"],"top":3,"threshold":0.25,"link":"OfModel"}"#);
    returns::<Labels>(r#"{"names":["a","b"],"thresholds":[0.5,0.25],"link":"Logits"}"#);
    returns::<Numbers>(
        r#"{"names":["a"],"unit":"kg","log":true,"normalizer":{"shape":[1],"center":[2.0],"scale":[4.0]}}"#,
    );
    returns::<Image>(
        r#"{"column":"photo","form":{"height":2,"width":3,"grey":false,"fit":{"Pad":7},"background":[255,0,255],"invert":true},"channel":false,"scale":0.5,"mean":[0.5,0.25,1.0],"std":[0.25,0.5,1.0]}"#,
    );
    returns::<History>(&format!(r#"{{"epochs":[{epoch}]}}"#));
    returns::<LearningRateCurve>(
        r#"{"rates":[0.1,"inf"],"losses":["NaN","inf"],"smoothed":["-inf",1.0],"suggestion":"inf"}"#,
    );
    returns::<LearningRateCurve>(r#"{"rates":[],"losses":[],"smoothed":[],"suggestion":null}"#);
    returns::<GradientTrace>(r#"{"steps":[1,3],"layers":[["1",["NaN","inf"]],["4.0",[0.5,"-inf"]]]}"#);
    returns::<MeanStd>(r#"{"mean":"NaN","std_dev":"NaN","runs":0}"#);
    returns::<MeanStd>(r#"{"mean":"-inf","std_dev":"NaN","runs":2}"#);
    returns::<CalibrationBin>(r#"{"low":0.25,"high":0.5,"weight":0.0,"confidence":"NaN","accuracy":"NaN"}"#);
    let line =
        |name: &str| format!(r#"{{"name":"{name}","precision":0.0,"recall":1.0,"f1":0.5,"support":0}}"#);
    let (a, mean) = (line("a"), line("mean"));
    returns::<ClassReport>(&a);
    returns::<ClassificationReport>(&format!(
        r#"{{"classes":[{a}],"accuracy":"NaN","macro_mean":{mean},"weighted_mean":{mean},"absent":[0]}}"#
    ));
    returns::<LabelReport>(&format!(
        r#"{{"labels":[{a}],"micro_mean":{mean},"macro_mean":{mean},"weighted_mean":{mean},"samples_mean":{mean}}}"#
    ));
    returns::<CsvForm>(&csv_form("c"));
    returns::<ConfusionMatrix>(r#"{"names":["a","b"],"counts":[1,2,3,4]}"#);
    let pair = r#"{"truth":0,"predicted":1,"count":2,"support":3}"#;
    let mistake = r#"{"position":7,"truth":0,"predicted":1,"confidence":0.75}"#;
    let class = r#"{"predicted":0,"confidence":"NaN","accuracy":"NaN"}"#;
    returns::<ConfusedPair>(pair);
    returns::<Mistake>(mistake);
    returns::<ClassCalibration>(class);
    returns::<ErrorAnalysis>(&format!(
        r#"{{"pairs":[{pair}],"mistakes":[{mistake}],"classes":[{class},{class}],"names":["a","b"]}}"#
    ));
    returns::<RocCurve>(
        r#"{"thresholds":["inf",0.5],"false_positive_rates":[0.0,1.0],"true_positive_rates":["NaN","NaN"]}"#,
    );
    for value in ["NaN", "inf", "-inf"] {
        returns::<Value>(&format!(r#"{{"Number":"{value}"}}"#));
        returns::<Value>(&format!(r#"{{"Word":"{value}"}}"#));
    }
    returns::<Trial>(r#"{"values":[["rate",{"Number":"inf"}],["units",{"Integer":-3}]]}"#);
    returns::<Normalizer>(r#"{"shape":[2],"center":[0.5,-1.0],"scale":[1.0,2.0]}"#);
    let column = |name: &str, column_type: &str, step: &str| {
        format!(r#"{{"name":"{name}","column_type":{column_type},"step":{step}}}"#)
    };
    let number = |scale: &str| {
        format!(
            r#"{{"Number":{{"fill":1.5,"low":0.0,"high":3.0,"log":false,"scale":{scale},"indicator":true}}}}"#
        )
    };
    let linear = r#"{"Linear":{"center":1.0,"scale":0.5}}"#;
    let date = format!(
        r#"{{"Date":{{"fill":1.5,"low":0.0,"high":3.0,"scales":[{linear},null,null,null,"None"],"indicator":false}}}}"#
    );
    let category = r#"{"Category":{"words":["a","b"],"ordinal":false,"unknown":true,"missing":true}}"#;
    let columns = [
        column("x", "\"Number\"", &number(linear)),
        column("y", r#"{"Boolean":{"no":"f","yes":"t"}}"#, &number(r#"{"Quantile":[0.5,0.5,1.0]}"#)),
        column("d", r#"{"Date":"%Y-%m-%d"}"#, &date),
        column("w", "\"Category\"", category),
    ];
    returns::<ColumnsEncoder>(&format!(r#"{{"columns":[{}]}}"#, columns.join(",")));
    returns::<CategoryIdsEncoder>(r#"{"column":"brand","words":["b","a"]}"#);
    returns::<Features>(r#"{"columns":[""],"shape":[2,2],"normalizer":null}"#);
    returns::<Features>(
        r#"{"columns":["x"],"shape":null,"normalizer":{"shape":[1],"center":[0.5],"scale":[2.0]}}"#,
    );
}

#[test]
fn numbers_that_are_not_finite_return_from_settings_and_states() {
    for initializer in [
        r#"{"Constant":"NaN"}"#,
        r#"{"Uniform":{"low":"-inf","high":"inf"}}"#,
        r#"{"Normal":{"mean":"NaN","std_dev":"inf"}}"#,
        r#"{"TruncatedNormal":{"mean":"NaN","std_dev":"inf"}}"#,
        r#"{"Orthogonal":{"gain":"NaN"}}"#,
    ] {
        returns::<Initializer>(initializer);
    }
    returns::<LeakyReLU>(r#"{"slope":"inf"}"#);
    returns::<ELU>(r#"{"alpha":"NaN"}"#);
    returns::<Softplus>(r#"{"beta":"-inf"}"#);
    returns::<Dropout>(r#"{"rate":"NaN","random":{"key":1},"step":2}"#);
    returns::<Dropout2d>(r#"{"rate":"inf","random":{"key":1},"step":2}"#);
    returns::<GaussianNoise>(r#"{"std_dev":"inf","random":{"key":1},"step":2}"#);
    // NaN and infinity in the bytes of a tensor.
    let param = |kind: &str| {
        format!(r#"{{"value":[[2],[0,0,192,127,0,0,128,255]],"kind":"{kind}","transposed":false}}"#)
    };
    let (w, b) = (param("Trainable"), param("Buffer"));
    returns::<Param>(&w);
    returns::<RMSNorm>(&format!(r#"{{"weight":{w},"epsilon":"NaN"}}"#));
    returns::<LayerNorm>(&format!(r#"{{"weight":{w},"bias":{w},"epsilon":"NaN"}}"#));
    returns::<GroupNorm>(&format!(r#"{{"weight":{w},"bias":{w},"groups":1,"epsilon":"inf"}}"#));
    returns::<BatchNorm>(&format!(
        r#"{{"weight":{w},"bias":{w},"running_mean":{b},"running_var":{b},"epsilon":"-inf","momentum":"NaN"}}"#
    ));
    returns::<State>(
        r#"[["a",{"Number":"NaN"}],["b",{"List":[[1],[0,0,0,0,0,0,248,127]]}],["c",{"Array":[[1],[0,0,128,127]]}],["d",{"Nested":[["e",{"Number":"-inf"}],["f",{"Integers":[1]}]]}]]"#,
    );
}

#[test]
fn other_words_are_no_numbers() {
    for wrong in ["nan", "Infinity", "", "1"] {
        let text = refusal::<LeakyReLU>(&format!(r#"{{"slope":"{wrong}"}}"#));
        assert!(text.ends_with(r#"expected a number, "NaN", "inf" or "-inf""#), "{text}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let is = |text: String, expected: &str| {
        assert_eq!(text, format!("the {expected}. The data were damaged or edited; write them again"));
    };
    is(
        refusal::<History>(
            r#"{"epochs":[{"number":1,"values":[["loss",1]],"learning_rate":1,"directions":["Lower","Lower"],"seconds":1}]}"#,
        ),
        "epoch must have a direction for each of 1 value, got 2",
    );
    is(
        refusal::<LearningRateCurve>(r#"{"rates":[1,2],"losses":[1],"smoothed":[1,2],"suggestion":null}"#),
        "curve of rates must have two losses for each of 2 rates, got 1 loss and 2 smoothed ones",
    );
    is(
        refusal::<LearningRateCurve>(r#"{"rates":[1],"losses":[1],"smoothed":[1],"suggestion":3}"#),
        "suggestion of the curve of rates must be one of its rates, got 3",
    );
    is(
        refusal::<GradientTrace>(r#"{"steps":[1,2],"layers":[["1",[1,2]],["2",[1]]]}"#),
        "trace of gradients must have a norm for each of 2 steps, got 1 of layer \"2\"",
    );
    is(
        refusal::<GradientTrace>(r#"{"steps":[1],"layers":[["1",[1]],["1",[1]]]}"#),
        "trace of gradients must have distinct names, got \"1\" twice",
    );
    for spread in [r#"{"mean":1,"std_dev":-1,"runs":2}"#, r#"{"mean":1,"std_dev":0,"runs":0}"#] {
        assert!(refusal::<MeanStd>(spread).contains("be NaN without runs, and the deviation at least 0"));
    }
    for (low, weight) in [("2", "1"), ("0", "-1")] {
        let bin = format!(r#"{{"low":{low},"high":1,"weight":{weight},"confidence":0.5,"accuracy":0.5}}"#);
        assert!(refusal::<CalibrationBin>(&bin).contains("the bin must have edges in order"));
    }
    let line =
        |support: u64| format!(r#"{{"name":"m","precision":1,"recall":1,"f1":1,"support":{support}}}"#);
    let report = |support: u64, absent: &str| {
        let (zero, line, other) = (line(0), line(4), line(support));
        refusal::<ClassificationReport>(&format!(
            r#"{{"classes":[{zero},{line},{zero}],"accuracy":1,"macro_mean":{line},"weighted_mean":{other},"absent":{absent}}}"#
        ))
    };
    for absent in ["3", "1", "0,9"] {
        let text = report(4, &format!("[{absent}]"));
        assert!(text.contains("must be below 3, the number of classes, and without samples"), "{text}");
    }
    assert!(
        report(4, "[2,0]").contains("listed once each, in order") && report(4, "[0,0]").contains("once each")
    );
    is(
        report(5, "[]"),
        "classification report must have means over 4 samples, as the first has, got \"m\" over 5",
    );
    let labels = |all: &str, support: u64| {
        let (line, other) = (line(4), line(support));
        refusal::<LabelReport>(&format!(
            r#"{{"labels":[{all}],"micro_mean":{line},"macro_mean":{line},"weighted_mean":{line},"samples_mean":{other}}}"#
        ))
    };
    is(labels("", 4), "label report must have at least 1 label, got 0");
    is(
        labels(&line(4), 3),
        "label report must have means over 4 samples, as the first has, got \"m\" over 3",
    );
    for matrix in [r#"{"names":["a","b"],"counts":[1]}"#, r#"{"names":[],"counts":[]}"#] {
        assert!(refusal::<ConfusionMatrix>(matrix).contains("a count for each pair of classes"));
    }
    let most = u64::MAX;
    refusal::<ConfusionMatrix>(&format!(r#"{{"names":["a","b"],"counts":[{most},1,0,0]}}"#));
    refusal::<ConfusedPair>(r#"{"truth":1,"predicted":1,"count":1,"support":1}"#);
    refusal::<ConfusedPair>(r#"{"truth":0,"predicted":1,"count":2,"support":1}"#);
    refusal::<Mistake>(r#"{"position":0,"truth":1,"predicted":1,"confidence":1}"#);
    let analysis = |truth: usize, classes: &str| {
        let class = r#"{"predicted":1,"confidence":1,"accuracy":1}"#;
        let (pair, classes) = (format!(r#""truth":{truth},"predicted":1"#), classes.replace('c', class));
        for rest in [
            format!(r#""pairs":[{{{pair},"count":1,"support":1}}],"mistakes":[]"#),
            format!(r#""pairs":[],"mistakes":[{{"position":0,{pair},"confidence":1}}]"#),
        ] {
            refusal::<ErrorAnalysis>(&format!(r#"{{{rest},"classes":[{classes}],"names":["a","b"]}}"#));
        }
    };
    analysis(2, "c,c");
    analysis(0, "c");
    is(
        refusal::<RocCurve>(
            r#"{"thresholds":["inf"],"false_positive_rates":[0,1],"true_positive_rates":[0]}"#,
        ),
        "ROC curve must have two rates for each of 1 threshold, got 2 and 1",
    );
    let curve = |thresholds: &str, rates: &str| {
        let list = |numbers: &str| format!("[{numbers}]");
        for (a, b) in [(rates, "0,0.5,1"), ("0,0.5,1", rates)] {
            let (thresholds, a, b) = (list(thresholds), list(a), list(b));
            let json = format!(
                r#"{{"thresholds":{thresholds},"false_positive_rates":{a},"true_positive_rates":{b}}}"#
            );
            let text = refusal::<RocCurve>(&json);
            assert!(
                text.contains("rates of the ROC curve must be from 0 to 1 and rising, or all NaN"),
                "{text}"
            );
        }
    };
    for rates in ["0,2,2", "-1,0,1", "0,1,0.5", r#"0,"NaN",1"#, r#"0,0.5,"inf""#] {
        curve(r#""inf",0.5,"-inf""#, rates);
    }
    for (thresholds, found) in [
        (r#""inf",0.5,0.75"#, "inf, 0.5, 0.75"),
        (r#""inf","NaN",0"#, "inf, NaN, 0"),
        (r#"1,2,"NaN""#, "1, 2, NaN"),
    ] {
        let json = format!(
            r#"{{"thresholds":[{thresholds}],"false_positive_rates":[0,0,1],"true_positive_rates":[0,1,1]}}"#
        );
        is(
            refusal::<RocCurve>(&json),
            &format!("thresholds of the ROC curve must be falling numbers, got {found}"),
        );
    }
    refusal::<LearningRateCurve>(r#"{"rates":[2,1],"losses":[1,1],"smoothed":[1,1],"suggestion":null}"#);
    refusal::<LearningRateCurve>(r#"{"rates":["NaN"],"losses":[1],"smoothed":[1],"suggestion":null}"#);
    is(
        refusal::<Mistake>(r#"{"position":0,"truth":0,"predicted":1,"confidence":"NaN"}"#),
        "confidence of a mistake must be from 0 to 1, got NaN",
    );
    for class in [
        r#"{"predicted":0,"confidence":0.5,"accuracy":"NaN"}"#,
        r#"{"predicted":2,"confidence":0.5,"accuracy":1.5}"#,
    ] {
        assert!(refusal::<ClassCalibration>(class).contains("or NaN without samples"));
    }
    for (weight, confidence) in [("0", "0.5"), ("2", r#""NaN""#), ("2", "1.5")] {
        let bin =
            format!(r#"{{"low":0,"high":1,"weight":{weight},"confidence":{confidence},"accuracy":0.5}}"#);
        assert!(refusal::<CalibrationBin>(&bin).contains("or NaN without weight"));
    }
    refusal::<CalibrationBin>(r#"{"low":0,"high":1,"weight":"NaN","confidence":0.5,"accuracy":0.5}"#);
    refusal::<CalibrationBin>(r#"{"low":"NaN","high":1,"weight":1,"confidence":0.5,"accuracy":0.5}"#);
    is(
        refusal::<ClassReport>(r#"{"name":"a","precision":1,"recall":"NaN","f1":1,"support":1}"#),
        "precision, recall and F1 of \"a\" must be from 0 to 1, got NaN",
    );
    let report = format!(
        r#"{{"classes":[],"accuracy":"NaN","macro_mean":{0},"weighted_mean":{0},"absent":[]}}"#,
        line(4)
    );
    assert!(refusal::<ClassificationReport>(&report).contains("the accuracy of the classification report"));
    is(
        refusal::<Trial>(r#"{"values":[["a",{"Integer":1}],["a",{"Integer":2}]]}"#),
        "trial must have distinct names, got \"a\" twice",
    );
    is(
        refusal::<Metadata>(r#"{"written_by":"0","classes":[],"notes":[["a","1"],["a","2"]]}"#),
        "notes of the model must have distinct names, got \"a\" twice",
    );
    refusal::<Normalizer>(r#"{"shape":[2],"center":[1.0],"scale":[1.0,2.0]}"#);
    refusal::<Normalizer>(r#"{"shape":[1],"center":[1.0],"scale":[0.0]}"#);
    refusal::<Classes>(r#"{"names":["a"],"top":1,"threshold":0.0,"link":"OfModel"}"#);
    refusal::<Classes>(r#"{"names":["a","b"],"top":1,"threshold":"NaN","link":"OfModel"}"#);
    refusal::<Labels>(r#"{"names":["a","b"],"thresholds":[0.5,0.5,0.5],"link":"OfModel"}"#);
    refusal::<Numbers>(r#"{"names":["a","a"],"unit":"","log":false,"normalizer":null}"#);
    let image = r#"{"column":"","form":{"height":2,"width":3,"grey":true,"fit":"Stretch","background":[255,255,255],"invert":false},"channel":false,"scale":0.5,"mean":[],"std":[]}"#;
    for (sound, unsound) in [
        ("0.5", "0.0"),
        ("0.5", "\"inf\""),
        ("\"mean\":[]", "\"mean\":[1.0]"),
        ("\"height\":2", "\"height\":0"),
    ] {
        refusal::<Image>(&image.replace(sound, unsound));
    }
    let normalized = image.replace("[],\"std\":[]", "[0.5],\"std\":[0.25]");
    refusal::<Image>(&normalized.replace("0.25", "0.0"));
    refusal::<Image>(&normalized.replace("0.25", "\"NaN\""));
    refusal::<Param>(r#"{"value":[[3],[0,0,192,127]],"kind":"Trainable","transposed":false}"#);
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// In every type that is saved, every `f64` is written so that non-finite values survive, and a test above covers the
/// type.
#[test]
fn no_number_is_forgotten() {
    let here = include_str!("serde_values.rs");
    let mut found = Vec::new();
    files(&Path::new(crate::ROOT).join("src"), &mut found);
    let mut seen = 0;
    let of_code = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    // A normalizer's numbers are checked to be finite.
    for path in found.iter().filter(of_code).filter(|path| !path.ends_with("data/normalizer/mod.rs")) {
        let text = fs::read_to_string(path).unwrap();
        let (mut saved, mut name, mut above) = (false, None, "");
        for line in text.lines().take_while(|line| line.trim() != "mod tests {") {
            let code = line.trim();
            if code.starts_with("#[derive(") && line.starts_with('#') {
                saved = code.contains("Serialize");
            } else if saved && (line.starts_with("pub struct ") || line.starts_with("pub enum ")) {
                let after = line.split(' ').nth(2).unwrap();
                name = Some(after.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned());
                // A struct without names of fields may end in its first line.
                name = name.filter(|_| !line.ends_with(';'));
                saved = false;
            } else if line.starts_with('}') {
                name = None;
            } else if let Some(name) = &name
                && code.contains("f64")
                && !code.starts_with("//")
            {
                seen += 1;
                let by_words = [above, code].iter().any(|line| line.contains("with = \"crate::codec::"));
                assert!(by_words, "{}: {name}: {code}", path.display());
                assert!(here.contains(&format!("returns::<{name}>")), "{name} has no test");
            }
            above = code;
        }
    }
    assert!(seen > 40, "the test finds the fields: {seen}");
}
