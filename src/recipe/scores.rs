//! Measuring answers in the units of the targets.

use super::target::RawTarget;
use crate::error::{Error, Result};
use crate::nn::Predictions;
use crate::predictor::{AnswerValue, Predictor};
use crate::train::Direction;

/// Adds the scores of a predictor's answers for some rows to metrics, in which they replace those of the same names: a
/// trainer's are of scaled targets.
///
/// | output | scores |
/// |---|---|
/// | classes | accuracy, balanced_accuracy (the mean over classes of the recall), log_loss |
/// | labels | exact_match, hamming_loss |
/// | numbers | mean_absolute_error, root_mean_squared_error, r2 |
///
/// With several outputs each name begins with that of the output, as "category_accuracy".
pub(super) fn add_scores(
    metrics: &mut Vec<(String, f64)>,
    predictor: &Predictor,
    predictions: &Predictions,
    targets: &[(&str, &RawTarget)],
    rows: &[usize],
) -> Result<()> {
    for (output, raw) in targets {
        let answers = predictor.full_answers(predictions, output)?;
        let there = |(i, answer)| (!raw.is_missing(rows[i])).then_some((rows[i], answer));
        let answers: Vec<(usize, &AnswerValue)> = answers.iter().enumerate().filter_map(there).collect();
        if answers.is_empty() {
            continue;
        }
        let fits = |(_, answer): &(usize, &AnswerValue)| match (raw, answer) {
            (RawTarget::Classes { .. }, AnswerValue::Class { .. }) => true,
            (RawTarget::Numbers { units, are_labels: true, .. }, AnswerValue::Labels(labels)) => {
                labels.len() == *units
            }
            (RawTarget::Numbers { units, are_labels: false, .. }, AnswerValue::Numbers(numbers)) => {
                numbers.len() == *units
            }
            _ => false,
        };
        if !answers.iter().all(fits) {
            let what = format!("the targets of the output {output:?}");
            return Err(Error::data(what, "be of the kind and number of its answers", "others")
                .help("Classes are measured by `Classes::column`, labels by `Labels::columns`, numbers by `Numbers::column`."));
        }
        for (name, value) in scores(raw, &answers) {
            let name = if targets.len() == 1 { name } else { format!("{output}_{name}") };
            match metrics.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => metrics.push((name, value)),
            }
        }
    }
    Ok(())
}

/// The direction in which a score with this name is better, with or without "val_" and the name of an output before it,
/// and the place of a number behind it: "val_size_r2_1".
pub(super) fn direction(name: &str) -> Option<Direction> {
    let digits = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let bare = name.rsplit_once('_').filter(|(_, place)| digits(place)).map_or(name, |(bare, _)| bare);
    let one_of = |scores: &[&str]| {
        let starts = scores.iter().filter_map(|score| bare.strip_suffix(score));
        starts.into_iter().any(|start| start.is_empty() || start.ends_with('_'))
    };
    if one_of(&["accuracy", "exact_match", "r2"]) {
        Some(Direction::Higher)
    } else if one_of(&["log_loss", "hamming_loss", "mean_absolute_error", "root_mean_squared_error"]) {
        Some(Direction::Lower)
    } else {
        None
    }
}

/// The scores of the answers for rows.
fn scores(raw: &RawTarget, answers: &[(usize, &AnswerValue)]) -> Vec<(String, f64)> {
    let count = answers.len() as f64;
    match raw {
        RawTarget::Classes { labels, names } => {
            let (mut right, mut seen) = (vec![0.0; names.len()], vec![0.0; names.len()]);
            let mut log_loss = 0.0;
            for (row, answer) in answers {
                let (Some(label), AnswerValue::Class { ranked, .. }) = (labels[*row], answer) else {
                    continue;
                };
                let probability =
                    |name: &str| ranked.iter().find(|(known, _)| **known == *name).map(|(_, p)| *p);
                seen[label] += 1.0;
                right[label] +=
                    f64::from(u8::from(ranked.first().is_some_and(|(first, _)| **first == *names[label])));
                let p = f64::from(probability(&names[label]).unwrap_or(0.0));
                log_loss -= p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
            }
            let recalls =
                right.iter().zip(&seen).filter(|(_, seen)| **seen > 0.0).map(|(right, seen)| right / seen);
            let recalls: Vec<f64> = recalls.collect();
            vec![
                ("accuracy".into(), right.iter().sum::<f64>() / count),
                ("balanced_accuracy".into(), recalls.iter().sum::<f64>() / recalls.len() as f64),
                ("log_loss".into(), log_loss / count),
            ]
        }
        RawTarget::Numbers { numbers, units, are_labels: true } => {
            let (mut exact, mut wrong) = (0.0, 0.0);
            for (row, answer) in answers {
                let AnswerValue::Labels(labels) = answer else { continue };
                let targets = &numbers[row * units..(row + 1) * units];
                let different =
                    labels.iter().zip(targets).filter(|((.., named), t)| *named != (**t == 1.0)).count();
                exact += f64::from(u8::from(different == 0));
                wrong += different as f64;
            }
            vec![
                ("exact_match".into(), exact / count),
                ("hamming_loss".into(), wrong / (count * *units as f64)),
            ]
        }
        RawTarget::Numbers { numbers, units, .. } => {
            let of_unit = |place: usize| {
                let pairs = answers.iter().filter_map(|(row, answer)| match answer {
                    AnswerValue::Numbers(answer) => Some((answer[place].value, numbers[row * units + place])),
                    _ => None,
                });
                let pairs: Vec<(f64, f64)> = pairs.collect();
                let mean = pairs.iter().map(|(_, t)| t).sum::<f64>() / count;
                let squares = pairs.iter().map(|(y, t)| (y - t) * (y - t)).sum::<f64>();
                let spread = pairs.iter().map(|(_, t)| (t - mean) * (t - mean)).sum::<f64>();
                let mae = pairs.iter().map(|(y, t)| (y - t).abs()).sum::<f64>() / count;
                // As in scikit-learn, 1 of 0 errors and 0 otherwise, if all targets are equal.
                let r2 =
                    if spread > 0.0 { 1.0 - squares / spread } else { f64::from(u8::from(squares == 0.0)) };
                [
                    ("mean_absolute_error", mae),
                    ("root_mean_squared_error", (squares / count).sqrt()),
                    ("r2", r2),
                ]
                .map(|(name, value)| match units {
                    1 => (name.to_owned(), value),
                    _ => (format!("{name}_{place}"), value),
                })
            };
            (0..*units).flat_map(of_unit).collect()
        }
    }
}
