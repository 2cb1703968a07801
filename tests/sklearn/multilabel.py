"""Makes tests/sklearn/multilabel.json: what scikit-learn computes of samples with several labels each.

The file here was made with scikit-learn 1.9.1, NumPy 2.4.6 and Python 3.11:

    python tests/sklearn/multilabel.py > tests/sklearn/multilabel.json

It needs scikit-learn, nothing of this crate. Everything is float64 and drawn from one seed for each case. Numbers are
printed so that they read back to the same bits; NaN is null. A case has scores and targets of each sample and column. A
column is predicted where its score is above, not at, its threshold. With `zero_division=0` a precision or recall of
nothing is 0, and so are those of a sample with neither labels nor predictions in the average over samples.

What scikit-learn does where there is little to measure:

* The area under the ROC curve of a column without positives is NaN. So is then the average over columns ("macro"). In
  the weighted average the column's weight is 0, and it does not count.
* The average precision of such a column is 0, and counts in the average over columns.
* An array of one column is not several labels to scikit-learn but two classes, which have no average over samples. The
  metrics of decisions are computed of that column with a second one beside it that `labels=[0]` leaves out, and
  compared with those of the positive class; the others are those of two classes.

"macro_present" has samples of one label out of several classes, of which some occur neither in the truth nor in the
predictions. By default scikit-learn averages over those that occur in either ("present"), be it with a weight of 0.
"""

import json
import math
import sys
import warnings

import numpy as np
import sklearn
from sklearn import metrics as m

warnings.filterwarnings("ignore")  # of columns without positives, which are cases here


def number(x):
    x = float(x)
    return None if math.isnan(x) else x


def numbers(a):
    return [number(x) for x in np.asarray(a).reshape(-1)]


DECISIONS = {
    "precision": m.precision_score,
    "recall": m.recall_score,
    "f1": m.f1_score,
    "f2": lambda *a, **k: m.fbeta_score(*a, beta=2.0, **k),
    "f0.5": lambda *a, **k: m.fbeta_score(*a, beta=0.5, **k),
}


def results(p, y, predicted, w):
    out = {}
    columns = p.shape[1]
    common = dict(sample_weight=w, zero_division=0)
    for name, f in DECISIONS.items():
        if columns > 1:
            score = lambda average: f(y, predicted, average=average, **common)
        else:
            beside = lambda a: np.hstack([a, 1 - a])
            score = lambda average: f(beside(y), beside(predicted), labels=[0], average=average, **common)
            for average in ["macro", "micro", "weighted", None]:
                positive = f(y[:, 0], predicted[:, 0], labels=[1], average=average, **common)
                assert np.abs(positive - score(average)).max() < 1e-15
        for average in ["macro", "micro", "weighted", "samples"]:
            out[f"{average}_{name}"] = score(average)
        out[f"{name}_per_column"] = score(None)
    flat = lambda a: a[:, 0] if columns == 1 else a
    y, predicted, p = flat(y), flat(predicted), flat(p)
    out["accuracy"] = m.accuracy_score(y, predicted, sample_weight=w)
    out["hamming_loss"] = m.hamming_loss(y, predicted, sample_weight=w)
    for name, f in [("roc_auc", m.roc_auc_score), ("average_precision", m.average_precision_score)]:
        for average in ["macro", "micro", "weighted"]:
            out[f"{average}_{name}"] = f(y, p, average=average, sample_weight=w)
        out[f"{name}_per_column"] = np.atleast_1d(f(y, p, average=None, sample_weight=w))
    return {name: numbers(value) if np.ndim(value) else number(value) for name, value in out.items()}


def case(
    seed, n, columns, thresholds=0.5, decimals=None, weighted=False, without=None, bare_rows=0, report=False
):
    rng = np.random.default_rng(seed)
    y = (rng.random((n, columns)) < rng.uniform(0.25, 0.6, columns)).astype(int)
    if without is not None:
        y[:, without] = 0
    rows = rng.permutation(n)
    bare = rows[:bare_rows]
    y[bare] = 0
    if bare_rows == 0:  # a label in each row
        column = 0 if without != 0 else 1
        y[y.sum(1) == 0, column] = 1 if columns > 1 else 0
    p = 1 / (1 + np.exp(-(rng.normal(size=(n, columns)) + (y - 0.5) * 1.5)))
    p[bare[::2]] *= 0.4  # so that some rows have neither labels nor predictions
    thresholds = np.broadcast_to(np.array(thresholds, dtype=float), columns)
    if decimals is not None:
        p = np.round(p, decimals)
        assert (p == thresholds).any()
    w = None
    if weighted:
        w = np.round(rng.random(n) * 3, 3)
        w[rows[-3:]] = 0
    predicted = (p > thresholds).astype(int)
    out = {
        "scores": {"shape": list(p.shape), "data": numbers(p)},
        "targets": {"shape": list(y.shape), "data": y.reshape(-1).tolist()},
        "thresholds": numbers(thresholds),
        "weights": None if w is None else numbers(w),
        "results": results(p, y, predicted, w),
    }
    if report:
        given = m.classification_report(y, predicted, sample_weight=w, zero_division=0, output_dict=True)
        out["report"] = {row: {name: number(x) for name, x in of.items()} for row, of in given.items()}
    return out


def present_results(y, predicted, w):
    out = {}
    for name in ["precision", "recall", "f1"]:
        for average in ["macro", "micro", "weighted"]:
            out[f"{average}_{name}"] = number(
                DECISIONS[name](y, predicted, average=average, sample_weight=w, zero_division=0)
            )
    return out


def present_case(seed, n, classes, truth, guesses, weightless=None):
    """`truth` and `guesses` are the classes that occur in the two; samples of `weightless` have weight 0."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.r_[truth, rng.choice(truth, n - len(truth))])
    same = rng.random(n) < 0.6
    predicted = np.where(same & np.isin(y, guesses), y, rng.choice(guesses, n))
    predicted[rng.permutation(n)[: len(guesses)]] = guesses
    w = np.round(rng.random(n) * 3 + 0.01, 3)
    w[:2] = 0
    if weightless is not None:
        w[(y == weightless) | (predicted == weightless)] = 0
    present = np.union1d(y, predicted)
    assert present.tolist() == sorted({*truth, *guesses}) and len(present) < classes
    every = m.f1_score(y, predicted, labels=np.arange(classes), average="macro", zero_division=0)
    out = {
        "classes": classes,
        "labels": y.tolist(),
        "predictions": predicted.tolist(),
        "present": present.tolist(),
        "weights": numbers(w),
        "plain": present_results(y, predicted, None),
        "weighted": present_results(y, predicted, w),
    }
    assert abs(out["plain"]["macro_f1"] - every) > 0.01
    return out


if __name__ == "__main__":
    reference = {
        "sklearn": sklearn.__version__,
        "cases": {
            "three": case(1, 40, 3, report=True),
            "five": case(2, 40, 5),
            "ties": case(3, 40, 3, decimals=1),
            "ties_weighted": case(4, 40, 5, decimals=1, weighted=True),
            "column_without_positives": case(5, 40, 5, without=2),
            "column_without_positives_weighted": case(6, 40, 3, without=0, weighted=True),
            "rows_without_labels": case(7, 40, 3, bare_rows=12),
            "rows_without_labels_weighted": case(8, 40, 5, bare_rows=15, weighted=True),
            "weighted": case(9, 40, 5, weighted=True, report=True),
            "thresholds": case(10, 40, 5, thresholds=[0.5, 0.3, 0.7, 0.25, 0.6]),
            "thresholds_ties_weighted": case(
                11, 40, 3, thresholds=[0.3, 0.5, 0.7], decimals=1, weighted=True, bare_rows=6
            ),
            "one": case(12, 40, 1),
            "one_weighted": case(13, 40, 1, thresholds=0.4, decimals=1, weighted=True),
        },
        "macro_present": {
            "one_missing": present_case(21, 40, 4, [0, 1, 3], [0, 1, 3]),
            "only_predicted": present_case(22, 40, 5, [0, 2, 4], [0, 1, 2, 4]),
            "only_true": present_case(23, 40, 6, [1, 2, 3, 5], [1, 2, 5]),
            "without_weight": present_case(24, 40, 5, [0, 1, 2, 3], [0, 1, 2, 3], weightless=2),
            "two_of_five": present_case(25, 30, 5, [1, 4], [1, 4]),
        },
    }
    json.dump(reference, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()
