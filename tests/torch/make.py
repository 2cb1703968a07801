"""Generates tests/torch/reference.json: results of PyTorch, used by tests/library/torch.rs.

The file here was generated with PyTorch 2.15.0 (CPU, float64) and Python 3:

    python tests/torch/make.py > tests/torch/reference.json

It needs PyTorch, but nothing from this crate. Everything is float64 and generated from one seed per section, so the
same version of PyTorch generates the same file, except for the last digits on processors that sum in another order.
Numbers are printed so that they read back to the same bits. Tensors are {"shape": [...], "data": [...]}. Weights of
Linear have PyTorch's layout, [out, in]; the test transposes them.
"""

import json
import sys

import torch
import torch.nn.functional as F
from torch import nn

from common import KEPT, STEPS, tensor


def optimizers():
    """Steps of a matrix and a vector with given gradients: update rules, schedules, clipping."""
    torch.manual_seed(1)
    start = [torch.randn(4, 3), torch.randn(3)]
    grads = [[torch.randn(4, 3), torch.randn(3)] for _ in range(STEPS)]
    for matrix, vector in grads:
        matrix[1] *= 1e-7  # small enough for Adam's epsilon to matter
        matrix[2, 0] = 0.0  # the gradient is always 0
        vector[1] *= 10.0

    def run(make, schedule=None, clip=None):
        params = [nn.Parameter(p.clone()) for p in start]
        optimizer = make(params)
        scheduler = schedule(optimizer) if schedule else None
        values, rates = {}, []
        for step in range(1, STEPS + 1):
            for p, g in zip(params, grads[step - 1]):
                p.grad = g.clone()
            if clip is not None:
                nn.utils.clip_grad_norm_(params, clip)
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if scheduler:
                scheduler.step()
            if step in KEPT:
                values[str(step)] = [tensor(p) for p in params]
        rates.append(optimizer.param_groups[0]["lr"])
        return {"values": values, "rates": rates}

    sgd, adam, adamw = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
    lr = torch.optim.lr_scheduler
    return {
        "start": [tensor(p) for p in start],
        "grads": [[tensor(g) for g in step] for step in grads],
        "runs": {
            "sgd": run(lambda p: sgd(p, lr=0.05)),
            "sgd_decay": run(lambda p: sgd(p, lr=0.05, weight_decay=0.1)),
            "sgd_momentum": run(lambda p: sgd(p, lr=0.05, momentum=0.9)),
            "sgd_momentum_decay": run(lambda p: sgd(p, lr=0.05, momentum=0.9, weight_decay=0.1)),
            "sgd_nesterov_decay": run(
                lambda p: sgd(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1)
            ),
            "adam": run(lambda p: adam(p)),
            "adam_decay": run(lambda p: adam(p, lr=0.01, weight_decay=0.1)),
            "adam_changed": run(lambda p: adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-3)),
            "adamw": run(lambda p: adamw(p)),
            "adamw_decay": run(lambda p: adamw(p, lr=0.01, weight_decay=0.2)),
            "sgd_exponential": run(
                lambda p: sgd(p, lr=0.1, momentum=0.9),
                schedule=lambda o: lr.ExponentialLR(o, gamma=0.5 ** (1 / 8)),
            ),
            "adamw_cosine": run(
                lambda p: adamw(p, lr=0.02, weight_decay=0.2),
                schedule=lambda o: lr.CosineAnnealingLR(o, T_max=STEPS),
            ),
            "sgd_clipped": run(lambda p: sgd(p, lr=0.1), clip=1.5),
            "adam_clipped": run(lambda p: adam(p, lr=0.01), clip=8.0),  # clips some of the steps
        },
    }


def rows():
    """Steps of a table in which each step has gradients for some rows, and sometimes twice for one of them."""
    torch.manual_seed(2)
    start = torch.randn(6, 3)
    steps = []
    for _ in range(STEPS):
        ids = torch.randint(0, 5, (4,))  # the last row is never touched
        steps.append((ids, torch.randn(4, 3)))

    def run(make, sparse=False, clip=None):
        param = nn.Parameter(start.clone())
        optimizer = make([param])
        values = {}
        for step, (ids, grad) in enumerate(steps, 1):
            if sparse:
                param.grad = torch.sparse_coo_tensor(ids[None], grad, param.shape, check_invariants=True)
            else:
                param.grad = torch.zeros_like(param).index_add_(0, ids, grad)
            if clip is not None:
                nn.utils.clip_grad_norm_([param], clip)
            optimizer.step()
            if step in KEPT:
                values[str(step)] = tensor(param)
        return values

    return {
        "start": tensor(start),
        "steps": [{"ids": ids.tolist(), "grad": tensor(grad)} for ids, grad in steps],
        "runs": {
            "sgd": run(lambda p: torch.optim.SGD(p, lr=0.05)),
            "sgd_clipped": run(lambda p: torch.optim.SGD(p, lr=0.05), clip=1.5),
            # SparseAdam adds epsilon before the bias correction of the second moment, Adam after it. With an epsilon
            # this small, both compute the same.
            "adam": run(lambda p: torch.optim.SparseAdam(p, lr=0.01, eps=1e-14), sparse=True),
        },
    }


def losses():
    torch.manual_seed(3)
    n, classes = 6, 4
    weights = torch.tensor([1.0, 0.5, 2.0, 0.0, 3.0, 0.25])
    labels = torch.randint(0, classes, (n,))
    soft = torch.softmax(torch.randn(n, classes), 1)
    soft[2] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    logits = {
        "usual": torch.randn(n, classes) * 2,
        "large": (torch.rand(n, classes) * 2 - 1) * 1000,
    }
    logits["large"][0] = torch.tensor([1000.0, -1000.0, 1000.0, -1000.0])
    logits["large"][1] = torch.tensor([-1000.0, -1000.0, -1000.0, 1000.0])

    def case(predictions, each):
        out = {"predictions": tensor(predictions)}
        for name, w in [("plain", torch.ones(n)), ("weighted", weights)]:
            x = predictions.clone().requires_grad_()
            value = (w * each(x)).sum() / w.sum()
            value.backward()
            out[name] = {"value": value.item(), "grad": tensor(x.grad)}
        return out

    nll = lambda p: -p.log().gather(1, labels[:, None])[:, 0]
    soft_nll = lambda p: -(soft * p.log()).sum(1)
    out = {
        "labels": labels.tolist(),
        "soft": tensor(soft),
        "weights": weights.tolist(),
        "probabilities": {
            "index": case(torch.softmax(logits["usual"], 1), nll),
            "soft": case(torch.softmax(logits["usual"], 1), soft_nll),
        },
        "through_softmax": {
            "index": case(logits["usual"], lambda z: nll(torch.softmax(z, 1))),
            "soft": case(logits["usual"], lambda z: soft_nll(torch.softmax(z, 1))),
        },
    }
    for name, z in logits.items():
        out[name] = {
            "index": case(z, lambda z: F.cross_entropy(z, labels, reduction="none")),
            "soft": case(z, lambda z: F.cross_entropy(z, soft, reduction="none")),
        }
        # PyTorch's own mean without weights.
        torch.testing.assert_close(
            F.cross_entropy(z, labels).item(), out[name]["index"]["plain"]["value"], rtol=1e-14, atol=0
        )
    for shape in [(n, 3), (n, 2, 3)]:
        y, t = torch.randn(shape), torch.randn(shape)
        y[0] = t[0]  # |y - t| has no derivative here
        each = lambda f: lambda y: f(y, t, reduction="none").flatten(1).mean(1)
        out[f"regression_{len(shape)}"] = {
            "target": tensor(t),
            "mse": case(y, each(F.mse_loss)),
            "l1": case(y, each(F.l1_loss)),
        }
    return out


def network():
    torch.manual_seed(4)
    x, labels = torch.randn(16, 6), torch.randint(0, 3, (16,))

    def make(bias):
        torch.manual_seed(5)
        return nn.Sequential(
            nn.Linear(6, 5),
            nn.ReLU(),
            nn.Linear(5, 4, bias=bias),
            nn.BatchNorm1d(4),
            nn.Tanh(),
            nn.Linear(4, 3),
        )

    state = lambda model: {
        name: tensor(t) for name, t in model.state_dict().items() if not name.endswith("num_batches_tracked")
    }

    def run(optimizer, bias):
        model = make(bias)
        start = state(model)
        optimizer = optimizer(model.parameters())
        losses = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        return {
            "start": start,
            "losses": losses,
            "state": state(model),
            "predictions": tensor(torch.softmax(model(x), 1)),
        }

    return {
        "x": tensor(x),
        "labels": labels.tolist(),
        # The gradient of a bias before batch normalization is 0, apart from rounding errors of about 1e-17. Adam divides
        # it by its own magnitude, which turns the bias into noise, so the network for Adam has no such bias.
        "adam": run(lambda p: torch.optim.Adam(p, lr=0.01), bias=False),
        "sgd": run(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), bias=True),
    }


def layers():
    """Runs single layers forward and backward; the loss is a random linear combination of the outputs."""
    torch.manual_seed(6)

    def case(layer, x):
        before = {name: tensor(t) for name, t in layer.state_dict().items() if t.dim() > 0}
        x = x.clone().requires_grad_()
        y = layer(x)
        g = torch.randn_like(y)
        y.backward(g)
        return {
            "before": before,
            "x": tensor(x),
            "y": tensor(y),
            "g": tensor(g),
            "dx": tensor(x.grad),
            "grads": {name: tensor(p.grad) for name, p in layer.named_parameters()},
            "after": {name: tensor(t) for name, t in layer.state_dict().items() if t.dim() > 0},
        }

    def batch_norm(**settings):
        layer = nn.BatchNorm1d(4, **settings)
        for t in (layer.weight, layer.bias, layer.running_mean):
            nn.init.normal_(t)
        nn.init.uniform_(layer.running_var, 0.5, 2.0)
        return layer

    x = torch.randn(5, 4) * 2
    kinks = x.clone()
    kinks[0, 0] = 0.0
    kinks[1, 1] = -0.0
    far = x.clone()
    far[0] = torch.tensor([700.0, -700.0, 40.0, -40.0])
    return {
        "dense": case(nn.Linear(4, 3), x),
        "dense_without_bias": case(nn.Linear(4, 3, bias=False), x),
        "dense_along_the_last_axis": case(nn.Linear(4, 3), torch.randn(3, 2, 4)),
        "relu": case(nn.ReLU(), kinks),
        "leaky_relu": case(nn.LeakyReLU(0.01), kinks),
        "sigmoid": case(nn.Sigmoid(), far),
        "tanh": case(nn.Tanh(), far),
        "softmax": case(nn.Softmax(-1), x),
        "softmax_of_rows": case(nn.Softmax(-1), torch.randn(3, 2, 4)),
        "batch_norm": case(batch_norm(), x + 3),
        "batch_norm_changed": case(batch_norm(eps=1e-3, momentum=0.3), x),
        "batch_norm_at_inference": case(batch_norm().eval(), x),
        "batch_norm_of_one": case(batch_norm().eval(), x[:1]),
    }


if __name__ == "__main__":
    reference = {
        "torch": torch.__version__,
        "optimizers": optimizers(),
        "rows": rows(),
        "losses": losses(),
        "network": network(),
        "layers": layers(),
    }
    json.dump(reference, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()
