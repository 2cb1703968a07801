"""Makes tests/keras/losses.json: what Keras' losses compute, with and without sample weights, to compare Plywood with.

The file here was made with Keras 3.15.1, JAX 0.10.2 as its backend (CPU, float64), NumPy 2.4.6 and Python 3.11:

    python tests/keras/losses.py > tests/keras/losses.json

It needs Keras and JAX, nothing of this crate. Numbers are drawn from one seed for each section, and printed so that
they read back to the same bits.

A case is what the loss object returns with Keras' default reduction, "sum_over_batch_size", and its gradient with
respect to the predictions by `jax.grad`. That reduction is Σ w_i l_i / n: it divides by the number of samples, whatever
the weights are ("mean_with_sample_weight" would divide by Σ w_i). Predictions are logits where the loss has
`from_logits`. `KLDivergence` has not: its predictions here are logits, too; Keras is given their softmax, and the
gradient is taken through it. Labels of `Hinge` and `SquaredHinge` are 0 and 1 in the file, and -1 and 1 to Keras.

Class weights are not an argument of Keras' losses but of `fit`, which turns them into sample weights: that of the
sample's label. The file has them in that way, multiplied by the sample's own weight in "weighted". `fit` itself refuses
both at once. Its value of class weights alone is compared with the file's.

Each value and each gradient is computed a second time in NumPy, by the formula without any clip, and may be no further
from Keras' than 1e-12. What Keras does besides the formula:

* `keras.ops.mean` computes in float32 on this backend, whatever `floatx` is: to Keras' type promotion float64 with
  float32 is float32. `BinaryCrossentropy`, `Hinge`, `SquaredHinge`, `MeanSquaredError`, `MeanAbsoluteError` and `Huber`
  average a sample's columns by it, even a single one, and so have 7 digits only. Here `jnp.mean` takes its place, the
  one thing of Keras that is replaced. What Keras computes without that is compared, too, to 1e-6. The other losses are
  Keras' own to the last digit.
* `CategoricalFocalCrossentropy` holds probabilities between 1e-7 and 1 - 1e-7, even with `from_logits`. The numbers
  here are such that this plays no part.
* `KLDivergence` holds both the targets and the predictions between 1e-7 and 1. This plays no part either.

The cross-entropies from logits clip nothing, and their cases have logits far from 0. Nothing is at a kink of `Hinge`,
`MeanAbsoluteError` or `Huber`: the gradient there is a matter of taste.

Left out, as Plywood does not have them: `CategoricalHinge` (the hinge of several classes here is another formula, that
of PyTorch's `multi_margin_loss`), `BinaryFocalCrossentropy`, `CategoricalGeneralizedCrossEntropy`, `Poisson`,
`LogCosh`, `MeanSquaredLogarithmicError`, `MeanAbsolutePercentageError`, `CosineSimilarity`, `Tversky`, `Dice`,
`Circle`, `CTC`.
"""

import json
import os
import sys
from unittest import mock

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras import losses
from keras.src import ops as inner_ops  # the module whose functions the losses call

keras.config.set_floatx("float64")

N, CLASSES, COLUMNS = 7, 4, 3
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 3.0, 0.25, 1.5])
EPSILON = keras.config.epsilon()  # what Keras clips at


def tensor(a):
    a = np.asarray(a, dtype=np.float64)
    return {"shape": list(a.shape), "data": a.reshape(-1).tolist()}


def near(found, expected, tolerance=1e-12):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def log_softmax(z):
    z = z - z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))


def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def case(loss, x, truth, own, before=lambda x: x, class_weight=None, **stored):
    """`truth` is what Keras is given, `own` the samples' losses and their gradients by NumPy."""
    assert loss.reduction == "sum_over_batch_size" and loss.dtype == "float64"
    each, grads = own(x)
    assert each.shape == (N,) and grads.shape == x.shape
    out = {"loss": type(loss).__name__, "predictions": tensor(x), **stored}
    for name, weights in [("plain", None), ("weighted", WEIGHTS)]:
        w = weights
        if class_weight is not None:
            w = class_weight if w is None else class_weight * w
        compute = jax.value_and_grad(lambda x: loss(truth, before(x), sample_weight=w))
        rough_value, rough_grad = compute(jnp.asarray(x))
        with mock.patch.object(inner_ops, "mean", jnp.mean):
            value, grad = compute(jnp.asarray(x))
        assert value.dtype == grad.dtype == jnp.float64
        near(rough_value, value, 1e-6)
        near(rough_grad, grad, 1e-6)
        w = np.ones(N) if w is None else w
        near(value, (w * each).sum() / N)
        near(grad, w.reshape(N, *[1] * (x.ndim - 1)) * grads / N)
        out[name] = {"value": float(value), "grad": tensor(grad)}
    return out


def check_fit(loss, x, labels, class_weights, expected):
    """Compares the value with that of a model which hands its input on, trained with `class_weight`."""
    model = keras.Sequential([keras.Input((CLASSES,)), keras.layers.Dense(CLASSES, use_bias=False)])
    model.set_weights([np.eye(CLASSES)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss=loss)
    near(model.train_on_batch(x, labels, class_weight=dict(enumerate(class_weights))), expected)


def cross_entropy(t):
    return lambda z: (-(t * log_softmax(z)).sum(1), t.sum(1, keepdims=True) * softmax(z) - t)


def divergence(t):
    return lambda z: ((t * (np.log(t) - log_softmax(z))).sum(1), t.sum(1, keepdims=True) * softmax(z) - t)


def focal(labels, gamma):
    def own(z):
        one_hot = np.eye(CLASSES)[labels]
        p, log_p = softmax(z), (one_hot * log_softmax(z)).sum(1)
        rest = -np.expm1(log_p)
        slope = gamma * rest ** (gamma - 1) * np.exp(log_p) * log_p - rest**gamma  # along ln p of the label
        return -(rest**gamma) * log_p, slope[:, None] * (one_hot - p)

    return own


def of_classes():
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.r_[np.arange(CLASSES), rng.integers(0, CLASSES, N - CLASSES)])
    one_hot = np.eye(CLASSES)[labels]
    class_weights = np.array([0.5, 2.0, 1.0, 3.0])
    soft = softmax(rng.normal(size=(N, CLASSES)))
    near(soft.sum(1), 1)
    wide = rng.normal(size=(N, CLASSES)) * 2
    wide[0] = [30, -30, 0, 5]
    narrow = rng.normal(size=(N, CLASSES)) * 1.5  # for the losses that clip
    for p in [softmax(narrow), soft]:
        assert p.min() > 1e3 * EPSILON and p.max() < 1 - 1e3 * EPSILON

    hard = {"labels": labels.tolist()}
    rows = {"labels": labels.tolist(), "target": tensor(one_hot)}
    sparse = losses.SparseCategoricalCrossentropy(from_logits=True)
    categorical = losses.CategoricalCrossentropy(from_logits=True)
    out = {
        "labels": case(sparse, wide, labels, cross_entropy(one_hot), **hard),
        "labels_class_weights": case(
            sparse,
            wide,
            labels,
            cross_entropy(one_hot),
            class_weight=class_weights[labels],
            **hard,
            class_weights=class_weights.tolist(),
        ),
        "one_hot": case(categorical, wide, one_hot, cross_entropy(one_hot), **rows),
        "soft": case(categorical, wide, soft, cross_entropy(soft), target=tensor(soft)),
        "smoothing": case(
            losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
            wide,
            one_hot,
            cross_entropy(one_hot * 0.9 + 0.1 / CLASSES),
            **rows,
            label_smoothing=0.1,
        ),
    }
    check_fit(sparse, wide, labels, class_weights, out["labels_class_weights"]["plain"]["value"])
    for gamma in [2.0, 0.5]:
        out[f"focal_{gamma:g}"] = case(
            losses.CategoricalFocalCrossentropy(from_logits=True, alpha=1.0, gamma=gamma),
            narrow,
            one_hot,
            focal(labels, gamma),
            **rows,
            gamma=gamma,
        )
    out["kl"] = case(
        losses.KLDivergence(), narrow, soft, divergence(soft), before=jax.nn.softmax, target=tensor(soft)
    )
    return out


def binary_cross_entropy(t):
    return lambda z: (
        (np.logaddexp(0, z) - t * z).mean(1),
        (sigmoid(z) - t) / z.shape[1],
    )


def binary():
    rng = np.random.default_rng(2)
    labels = rng.permutation([0, 0, 0, 1, 1, 1, 1])
    one = rng.normal(size=(N, 1)) * 2
    one[0], one[1] = 40, -700
    many = rng.normal(size=(N, COLUMNS)) * 3
    marks = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0], [1, 1, 1], [1, 0, 1], [0, 0, 1], [0, 1, 1]])
    soft = rng.random((N, COLUMNS))
    soft[0] = [0, 1, 0.5]
    loss = losses.BinaryCrossentropy(from_logits=True)
    column = labels[:, None].astype(float)
    out = {
        "one": case(
            loss, one, column, binary_cross_entropy(column), labels=labels.tolist(), target=tensor(column)
        ),
        "many": case(loss, many, marks, binary_cross_entropy(marks), target=tensor(marks)),
        "soft": case(loss, many, soft, binary_cross_entropy(soft), target=tensor(soft)),
    }
    sign = 2 * column - 1
    scores = rng.normal(size=(N, 1)) * 1.5
    room = 1 - sign * scores
    assert np.abs(room).min() > 1e-3 and room.min() < 0 < room.max()

    def hinge(z):
        return np.maximum(1 - sign * z, 0)[:, 0], -sign * (sign * z < 1)

    def squared_hinge(z):
        return np.maximum(1 - sign * z, 0)[:, 0] ** 2, -2 * sign * np.maximum(1 - sign * z, 0)

    out["hinge"] = case(losses.Hinge(), scores, sign, hinge, labels=labels.tolist())
    out["squared_hinge"] = case(losses.SquaredHinge(), scores, sign, squared_hinge, labels=labels.tolist())
    return out


def of_numbers():
    rng = np.random.default_rng(3)
    t = rng.normal(size=(N, COLUMNS))
    y = t + rng.normal(size=(N, COLUMNS))

    def huber(delta):
        def own(y):
            e = y - t
            far = np.abs(e) > delta
            assert far.any() and not far.all() and np.abs(np.abs(e) - delta).min() > 1e-3
            each = np.where(far, delta * (np.abs(e) - delta / 2), e**2 / 2)
            return each.mean(1), np.clip(e, -delta, delta) / COLUMNS

        return own

    assert np.abs(y - t).min() > 1e-3
    squares = lambda y: (((y - t) ** 2).mean(1), 2 * (y - t) / COLUMNS)
    sizes = lambda y: (np.abs(y - t).mean(1), np.sign(y - t) / COLUMNS)
    out = {
        "mean_squared_error": case(losses.MeanSquaredError(), y, t, squares, target=tensor(t)),
        "mean_absolute_error": case(losses.MeanAbsoluteError(), y, t, sizes, target=tensor(t)),
    }
    for delta in [1.0, 0.3]:
        out[f"huber_{delta:g}"] = case(
            losses.Huber(delta=delta), y, t, huber(delta), target=tensor(t), delta=delta
        )
    return out


if __name__ == "__main__":
    reference = {
        "keras": keras.__version__,
        "jax": jax.__version__,
        "weights": WEIGHTS.tolist(),
        "classes": of_classes(),
        "binary": binary(),
        "numbers": of_numbers(),
    }
    json.dump(reference, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()
