"""Generates tests/torch/losses.json: results of PyTorch's losses, used by tests/library/torch_losses.rs.

The file here was generated with PyTorch 2.15.0 (CPU, float64) and Python 3:

    python tests/torch/losses.py > tests/torch/losses.json

It needs PyTorch, but nothing from this crate. The notes in make.py on its file apply to this one, too. A case is a loss
per sample, averaged without and with sample weights, with its gradients from autograd. If PyTorch has the mean built in,
the unweighted value is compared with it (`builtin`).
"""

import json
import sys

import torch
import torch.nn.functional as F

from common import tensor

N, CLASSES = 7, 4
WEIGHTS = torch.tensor([1.0, 0.5, 2.0, 0.0, 3.0, 0.25, 1.5])


def case(x, each, divisor=None, builtin=None):
    """`each` returns the losses of the samples. `divisor` has the weight of each sample in the divisor (default 1)."""
    divisor = torch.ones(N) if divisor is None else divisor
    out = {"predictions": tensor(x)}
    for name, w in [("plain", torch.ones(N)), ("weighted", WEIGHTS)]:
        p = x.clone().requires_grad_()
        value = (w * each(p)).sum() / (w * divisor).sum()
        value.backward()
        out[name] = {"value": value.item(), "grad": tensor(p.grad)}
    if builtin is not None:
        torch.testing.assert_close(builtin(x).item(), out["plain"]["value"], rtol=1e-12, atol=1e-13)
    return out


def of_classes():
    torch.manual_seed(1)
    labels = torch.randint(0, CLASSES, (N,))
    class_weights = torch.tensor([0.5, 2.0, 1.0, 3.0])
    soft = torch.softmax(torch.randn(N, CLASSES), 1)
    soft[2] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    logits = torch.randn(N, CLASSES) * 2
    logits[0] = torch.tensor([30.0, -30.0, 0.0, 5.0])
    p = torch.softmax(logits, 1)
    own = class_weights[labels]
    out = {
        "labels": labels.tolist(),
        "soft": tensor(soft),
        "class_weights": class_weights.tolist(),
    }

    def smoothed(log_p, w, share):
        t = F.one_hot(labels, CLASSES) * (1 - share) + share / CLASSES
        return -(w * t * log_p).sum(1)

    ones = torch.ones(CLASSES)
    forms = {"logits": (logits, lambda z: torch.log_softmax(z, 1)), "probabilities": (p, torch.log)}
    for form, (x, log) in forms.items():
        exact = form == "logits"
        native = lambda **k: (lambda z: F.cross_entropy(z, labels, **k)) if exact else None
        out[f"weights_{form}"] = case(
            x, lambda x: smoothed(log(x), class_weights, 0.0), own, native(weight=class_weights)
        )
        out[f"smoothing_{form}"] = case(
            x, lambda x: smoothed(log(x), ones, 0.1), None, native(label_smoothing=0.1)
        )
        out[f"smoothing_weights_{form}"] = case(
            x,
            lambda x: smoothed(log(x), class_weights, 0.2),
            own,
            native(weight=class_weights, label_smoothing=0.2),
        )
        out[f"soft_weights_{form}"] = case(
            x,
            lambda x: -(class_weights * soft * log(x)).sum(1),
            None,
            (lambda z: F.cross_entropy(z, soft, weight=class_weights)) if exact else None,
        )
        out[f"kl_{form}"] = case(
            x,
            lambda x: F.kl_div(log(x), soft, reduction="none").sum(1),
            None,
            lambda x: F.kl_div(log(x), soft, reduction="batchmean"),
        )
        for gamma in [0.0, 0.5, 2.0]:

            def focal(x):
                log_p = log(x).gather(1, labels[:, None])[:, 0]
                return -own * (-torch.expm1(log_p)) ** gamma * log_p

            out[f"focal_{gamma:g}_{form}"] = case(x, focal, own)
    for power in [1, 2]:
        out[f"hinge_{power}"] = case(
            logits,
            lambda x: F.multi_margin_loss(x, labels, p=power, margin=0.7, reduction="none"),
            None,
            lambda x: F.multi_margin_loss(x, labels, p=power, margin=0.7),
        )
    return out


def binary():
    torch.manual_seed(2)
    labels = torch.randint(0, 2, (N, 1))
    logits = torch.randn(N, 1) * 2
    logits[0], logits[1] = 40.0, -700.0
    soft, wide = torch.rand(N, 2, 3), torch.randn(N, 2, 3) * 3
    soft[0, 0] = torch.tensor([0.0, 1.0, 0.5])
    positive = torch.tensor(2.5)
    out = {"labels": labels[:, 0].tolist(), "soft": tensor(soft)}
    for name, t, z in [("one", labels.double(), logits), ("many", soft, wide)]:
        bce = lambda **k: (
            lambda z: F.binary_cross_entropy_with_logits(z, t, reduction="none", **k).flatten(1).mean(1)
        )
        out[f"{name}_logits"] = case(z, bce(), None, lambda z: F.binary_cross_entropy_with_logits(z, t))
        out[f"{name}_positive"] = case(
            z,
            bce(pos_weight=positive),
            None,
            lambda z: F.binary_cross_entropy_with_logits(z, t, pos_weight=positive),
        )
        p = torch.sigmoid(z.clamp(-20, 20))
        out[f"{name}_probabilities"] = case(
            p,
            lambda p: F.binary_cross_entropy(p, t, reduction="none").flatten(1).mean(1),
            None,
            lambda p: F.binary_cross_entropy(p, t),
        )
    sign = 2.0 * labels - 1
    for power in [1, 2]:
        out[f"hinge_{power}"] = case(logits, lambda x: (F.relu(1 - sign * x) ** power)[:, 0])
    return out


def huber():
    torch.manual_seed(3)
    y, t = torch.randn(N, 2, 3) * 2, torch.randn(N, 2, 3)
    y[0] = t[0]
    out = {"target": tensor(t)}
    for delta in [1.0, 0.3]:
        out[f"delta_{delta:g}"] = case(
            y,
            lambda y: F.huber_loss(y, t, delta=delta, reduction="none").flatten(1).mean(1),
            None,
            lambda y: F.huber_loss(y, t, delta=delta),
        )
    return out


if __name__ == "__main__":
    reference = {
        "torch": torch.__version__,
        "weights": WEIGHTS.tolist(),
        "classes": of_classes(),
        "binary": binary(),
        "huber": huber(),
    }
    json.dump(reference, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()
