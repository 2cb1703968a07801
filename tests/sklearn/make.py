"""Makes tests/sklearn/reference.json: what scikit-learn computes, for tests/library/sklearn.rs to compare Plywood with.

The file here was made with scikit-learn 1.9.1, NumPy 2.4.6 and Python 3:

    python tests/sklearn/make.py > tests/sklearn/reference.json

It needs scikit-learn, nothing of this crate. Everything is float64 and drawn from one seed for each case. Numbers are
printed so that they read back to the same bits; NaN is null. scikit-learn has no expected calibration error: that is
`calibration_error` below, the definition of Guo and others, 2017, bin by bin, which is checked here against
torchmetrics where that is installed.
"""

import json
import math
import sys
import warnings

import numpy as np
import sklearn
from sklearn import metrics as m
from sklearn.utils.class_weight import compute_class_weight

warnings.filterwarnings("ignore")  # of classes without samples, which are cases here


def number(x):
    x = float(x)
    return None if math.isnan(x) else x


def numbers(a):
    return [number(x) for x in np.asarray(a).reshape(-1)]


def calibration_error(p, y, w, bins):
    """Σ_b (W_b / W) · |accuracy_b - confidence_b| over the bins (lo, hi], the first with 0."""
    rows = p if p.shape[1] > 1 else np.hstack([1 - p, p])
    predicted = rows.argmax(1) if p.shape[1] > 1 else (p[:, 0] > 0.5).astype(int)
    confidence = rows[np.arange(len(y)), predicted]
    right = (predicted == y).astype(float)
    total = 0.0
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if b == 0:
            inside |= confidence == 0
        weight = w[inside].sum()
        if weight > 0:
            accuracy = (w * right)[inside].sum() / weight
            mean = (w * confidence)[inside].sum() / weight
            total += weight / w.sum() * abs(accuracy - mean)
    return total


def check_calibration_error(p, y, bins):
    try:
        import torch
        from torchmetrics.functional.classification import multiclass_calibration_error
    except ImportError:
        return
    their = multiclass_calibration_error(
        torch.tensor(p), torch.tensor(y), num_classes=p.shape[1], n_bins=bins, norm="l1"
    ).item()
    own = calibration_error(p, y, np.ones(len(y)), bins)
    assert abs(their - own) < 1e-6, (their, own)  # torchmetrics works in single precision inside


def of_classes(p, y, w):
    """Every metric of classes, by the names that tests/library/sklearn.rs gives them."""
    columns = p.shape[1]
    classes = max(columns, 2)
    labels = np.arange(classes)
    predicted = p.argmax(1) if columns > 1 else (p[:, 0] > 0.5).astype(int)
    out = {}

    def averaged(name, f):
        for average in ["macro", "micro", "weighted"]:
            out[f"{average}_{name}"] = f(average=average)
        out[f"{name}_1"] = f(average=None)[1]
        out[f"{name}_per_class"] = f(average=None)

    common = dict(labels=labels, sample_weight=w, zero_division=0)
    averaged("precision", lambda average: m.precision_score(y, predicted, average=average, **common))
    averaged("recall", lambda average: m.recall_score(y, predicted, average=average, **common))
    for beta in [1.0, 2.0, 0.5]:
        averaged(f"f{beta:g}", lambda average: m.fbeta_score(y, predicted, beta=beta, average=average, **common))
    out["accuracy"] = m.accuracy_score(y, predicted, sample_weight=w)
    one_hot = np.eye(classes)[y]
    if classes == 2:
        score = p[:, -1]
        out["macro_roc_auc"] = m.roc_auc_score(y, score, sample_weight=w)
        out["macro_average_precision"] = m.average_precision_score(y, score, sample_weight=w)
        if columns == 1:  # of two columns it is not defined which of equals comes first
            out["top_1"] = m.top_k_accuracy_score(y, score, k=1, sample_weight=w)
    else:
        for average in ["macro", "weighted", "micro"]:
            # multi_class="ovr" is this, and refuses rows that do not add up to 1 to the last digit.
            out[f"{average}_roc_auc"] = m.roc_auc_score(one_hot, p, average=average, sample_weight=w)
            out[f"{average}_average_precision"] = m.average_precision_score(
                one_hot, p, average=average, sample_weight=w
            )
        if np.allclose(p.sum(1), 1) and len(np.unique(y)) == classes:
            for average in ["macro", "weighted"]:
                ovr = m.roc_auc_score(y, p, average=average, multi_class="ovr", sample_weight=w)
                assert abs(ovr - out[f"{average}_roc_auc"]) < 1e-15
        for k in [1, 2, 3]:
            out[f"top_{k}"] = m.top_k_accuracy_score(y, p, k=k, labels=labels, sample_weight=w)
    for class_ in [0, 1]:
        score = p[:, class_] if columns > 1 else (p[:, 0] if class_ else 1 - p[:, 0])
        out[f"roc_auc_{class_}"] = m.roc_auc_score(one_hot[:, class_], score, sample_weight=w)
        out[f"average_precision_{class_}"] = m.average_precision_score(one_hot[:, class_], score, sample_weight=w)
    rows = p if columns > 1 else np.hstack([1 - p, p])
    out["log_loss"] = m.log_loss(y, rows, labels=labels, sample_weight=w)
    out["brier"] = m.brier_score_loss(
        y, rows[:, 1] if classes == 2 else rows, labels=labels, sample_weight=w
    )
    weights = np.ones(len(y)) if w is None else w
    for bins in [15, 10, 1]:
        out[f"calibration_error_{bins}"] = calibration_error(p, y, weights, bins)
    return {name: numbers(value) if np.ndim(value) else number(value) for name, value in out.items()}


def class_case(seed, n, columns, decimals=None, labels=None, sharp=1.0):
    rng = np.random.default_rng(seed)
    classes = max(columns, 2)
    y = rng.integers(0, labels or classes, n)
    z = rng.normal(size=(n, columns))
    if columns == 1:
        p = 1 / (1 + np.exp(-(z * sharp + (y[:, None] - 0.5) * 1.5)))
    else:
        z[np.arange(n), y] += 1
        p = np.exp((z - z.max(1, keepdims=True)) * sharp)
        p /= p.sum(1, keepdims=True)
        check_calibration_error(p, y, 15)
    if decimals is not None:  # so that there are many ties
        p = np.round(p, decimals)
    w = np.round(rng.random(n) * 3, 3)
    w[:5] = 0
    if decimals is None and columns > 2:
        p /= p.sum(1, keepdims=True)
    return {
        "columns": columns,
        "outputs": numbers(p),
        "labels": y.tolist(),
        "weights": numbers(w),
        "plain": of_classes(p, y, None),
        "weighted": of_classes(p, y, w),
    }


def of_numbers(y, t, w):
    return {
        "mae": number(m.mean_absolute_error(t, y, sample_weight=w)),
        "rmse": number(m.root_mean_squared_error(t, y, sample_weight=w)),
        "r2": number(m.r2_score(t, y, sample_weight=w)),
    }


def number_case(seed, n, columns, offset=0.0, constant=None):
    rng = np.random.default_rng(seed)
    t = rng.normal(size=(n, columns)) * 2 + offset
    y = t + rng.normal(size=(n, columns))
    if constant is not None:
        t[:, constant] = 0.0  # of other constants the weighted mean is rounded, and its spread is noise
    w = np.round(rng.random(n) * 3, 3)
    w[:3] = 0
    return {
        "columns": columns,
        "outputs": numbers(y),
        "targets": numbers(t),
        "weights": numbers(w),
        "plain": of_numbers(y, t, None),
        "weighted": of_numbers(y, t, w),
    }


def roc_case(seed, n, decimals):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    p = np.round(rng.random(n) + 0.3 * y, decimals)
    w = np.round(rng.random(n) + 0.1, 3)
    out = {"truth": y.tolist(), "scores": numbers(p), "weights": numbers(w)}
    for name, weights in [("plain", None), ("weighted", w)]:
        fpr, tpr, thresholds = m.roc_curve(y, p, sample_weight=weights, drop_intermediate=False)
        out[name] = {"fpr": numbers(fpr), "tpr": numbers(tpr), "thresholds": numbers(thresholds[1:])}
    return out


def class_weight_case(seed, n, classes):
    y = np.random.default_rng(seed).choice(classes, n, p=np.arange(1, classes + 1) / (classes * (classes + 1) / 2))
    weights = compute_class_weight("balanced", classes=np.arange(classes), y=y)
    return {"labels": y.tolist(), "classes": classes, "weights": numbers(weights)}


if __name__ == "__main__":
    reference = {
        "sklearn": sklearn.__version__,
        "classes": {
            "sigmoid": class_case(1, 60, 1),
            "sigmoid_with_ties": class_case(2, 60, 1, decimals=1),
            "two": class_case(3, 50, 2),
            "two_with_ties": class_case(4, 50, 2, decimals=1),
            "five": class_case(5, 80, 5),
            "five_with_ties": class_case(6, 80, 5, decimals=1),
            "sure_and_wrong": class_case(7, 60, 3, sharp=400.0),
            "a_class_without_samples": class_case(8, 40, 4, labels=3),
        },
        "numbers": {
            "one": number_case(11, 30, 1),
            "three": number_case(12, 30, 3),
            "far_from_zero": number_case(13, 30, 1, offset=1e4),
            "without_variance": number_case(14, 30, 2, constant=1),
        },
        "roc_curves": {"plain": roc_case(21, 30, 6), "with_ties": roc_case(22, 60, 1)},
        "class_weights": class_weight_case(31, 50, 4),
    }
    json.dump(reference, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()
