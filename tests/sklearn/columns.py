"""Makes columns.json: columns with gaps as scikit-learn and pandas prepare them, for columns.rs in tests/library.

Needs NumPy, pandas and scikit-learn; made with scikit-learn 1.9.1:

    python tests/sklearn/columns.py

Each column of numbers is drawn from one seed, fitted on `x` and applied to `y`, which has gaps and numbers beyond the range of
`x`, too. `null` is missing. Scalers are fitted after filling with the median, as in a pipeline.
"""

import json
import pathlib

import numpy as np
import pandas as pd
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, QuantileTransformer, StandardScaler

draws = np.random.default_rng(11)
ROWS = 500


def numbers(a):
    return [None if np.isnan(x) else float(x) for x in np.asarray(a, dtype=float).reshape(-1)]


def gaps(x, share):
    return np.where(draws.random(len(x)) < share, np.nan, x)


def column(x, extra):
    x = np.asarray(x, dtype=float)
    present = x[~np.isnan(x)]
    y = np.concatenate([draws.choice(present, 40), (draws.choice(present, 20) + draws.choice(present, 20)) / 2, extra])
    y = np.concatenate([y, [np.nan, present.min(), present.max(), present.min() - 1.0, present.max() + 1.0]])
    fit, apply = x.reshape(-1, 1), y.reshape(-1, 1)
    impute = SimpleImputer(strategy="median").fit(fit)
    filled, later = impute.transform(fit), impute.transform(apply)
    out = {"x": numbers(x), "y": numbers(y), "missing": numbers(MissingIndicator(features="all").fit(fit).transform(apply))}
    out["fills"] = {
        name: float(SimpleImputer(strategy=name).fit(fit).statistics_[0]) for name in ["median", "mean", "most_frequent"]
    }
    standard, ranged = StandardScaler().fit(filled), MinMaxScaler((-1, 3)).fit(filled)
    out["standard"] = {"center": standard.mean_[0], "scale": standard.scale_[0], "y": numbers(standard.transform(later))}
    out["range"] = {"scale": 1 / ranged.scale_[0], "center": -ranged.min_[0] / ranged.scale_[0]}
    out["range"]["y"] = numbers(ranged.transform(later))
    out["quantile"] = []
    for count in [2, 7, 100, 1000]:
        transform = QuantileTransformer(n_quantiles=min(count, len(x)), subsample=None).fit(filled)
        out["quantile"].append(
            {"count": count, "points": numbers(transform.quantiles_), "y": numbers(transform.transform(later))}
        )
    if present.min() > -1:
        logs, scaler = np.log1p(filled), StandardScaler()
        scaler.fit(logs)
        inside = np.where(later > -1, later, np.nan)
        out["log"] = {"center": scaler.mean_[0], "scale": scaler.scale_[0], "y": numbers(scaler.transform(np.log1p(inside)))}
    return out


columns = {
    "normal": column(gaps(draws.normal(size=ROWS) * 3 + 1e4, 0.1), [0.0]),
    "whole": column(gaps(draws.integers(0, 9, ROWS).astype(float), 0.2), [4.5]),
    "tail": column(gaps(np.where(draws.random(ROWS) < 0.8, 0.0, np.exp(draws.normal(size=ROWS) * 2 + 7)), 0.05), [1e3]),
    "signed": column(draws.normal(size=ROWS) * 1e-3, [-0.5, 0.5]),
    "even": column(gaps(np.round(draws.random(64), 1), 0.3), [0.55]),
    "shifted": column(gaps(draws.random(ROWS) + 1e8, 0.01), [0.0]),
    "constant": column(np.full(50, 4.2), [5.2]),
    "short": column([3.0, 1.0, np.nan, 7.0], [2.0]),
}

words = draws.choice(["delta", "alpha", "Zulu", "état", "bravo"], 60).tolist()
words = [None if draws.random() < 0.1 else word for word in words]
later = ["alpha", "Zulu", "unknown", "état", "delta", "bravo", None]
as_column = lambda values: np.array([np.nan if v is None else v for v in values], dtype=object).reshape(-1, 1)
one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(as_column(words))
ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2).fit(as_column(words))
categories = {
    "x": words,
    "y": later,
    "names": [word for word in one_hot.categories_[0] if isinstance(word, str)],
    "one_hot": numbers(one_hot.transform(as_column(later))),
    "ordinal": numbers(ordinal.transform(as_column(later))),
}

moments = pd.Series(pd.to_datetime(draws.integers(-(10**9), 2 * 10**9, 200), unit="s")).dt.floor("s")
parts = np.stack(
    [
        (moments - pd.Timestamp(0)).dt.total_seconds() / 86400,
        moments.dt.year,
        moments.dt.month,
        moments.dt.day_of_week,
        moments.dt.hour,
    ],
    axis=1,
)
dates = {
    "x": moments.dt.strftime("%Y-%m-%d %H:%M:%S").tolist(),
    "standard": numbers(StandardScaler().fit_transform(parts)),
}

out = {"columns": columns, "categories": categories, "dates": dates}
pathlib.Path(__file__).with_name("columns.json").write_text(json.dumps(out, allow_nan=False) + "\n")
