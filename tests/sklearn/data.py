"""Makes data.json: folds, split counts and scalings by scikit-learn, for folds.rs and normalizer.rs in tests/library.

Needs NumPy and scikit-learn; made with scikit-learn 1.9.1:

    python tests/sklearn/data.py
"""

import json
import pathlib

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler

draws = np.random.default_rng(5)
out = {"k_fold": [], "stratified": [], "split": []}

for n, k in [(10, 5), (11, 3), (23, 4), (7, 7)]:
    out["k_fold"].append({"n": n, "k": k, "test": [t.tolist() for _, t in KFold(k).split(np.zeros(n))]})

cases = [
    (3, draws.integers(0, 3, 50).tolist()),
    (5, sorted(draws.integers(0, 4, 61).tolist())),
    (4, draws.choice([2, 9, 5], 37, p=[0.7, 0.2, 0.1]).tolist()),
    (4, [1] * 9 + [0] * 2 + [7] * 1),  # classes smaller than k
]
for k, labels in cases:
    test = [t.tolist() for _, t in StratifiedKFold(k).split(np.zeros(len(labels)), labels)]
    out["stratified"].append({"k": k, "labels": labels, "test": test})

for share, labels in [(0.25, [0] * 61 + [1] * 29 + [2] * 10), (0.3, [0] * 70 + [1] * 20 + [4] * 10)]:
    _, test = train_test_split(np.arange(len(labels)), test_size=share, stratify=labels, random_state=1)
    counts = np.bincount(np.array(labels)[test], minlength=5)
    out["split"].append({"share": share, "labels": labels, "counts": counts.tolist()})

x = draws.normal(size=(300, 4)) * [1.0, 1e-3, 250.0, 1.0] + [1e4, 0.0, -3.0, 0.0]
x[:, 3] = 4.2  # never changes
y = draws.normal(size=(5, 4)) * [1.0, 1e-3, 250.0, 1.0] + [1e4, 0.0, -3.0, 0.0]
standard, ranged = StandardScaler().fit(x), MinMaxScaler((-1, 3)).fit(x)
whole = StandardScaler().fit(x.reshape(-1, 1))
out["scalers"] = {
    "x": x.tolist(),
    "y": y.tolist(),
    "mean": standard.mean_.tolist(),
    "scale": standard.scale_.tolist(),
    "standard": standard.transform(y).tolist(),
    "range": ranged.transform(y).tolist(),
    "whole_mean": whole.mean_.item(),
    "whole_scale": whole.scale_.item(),
}

pathlib.Path(__file__).with_name("data.json").write_text(json.dumps(out) + "\n")
