"""Generates tests/torch/penalties.json: training with penalties and norm limits, used by tests/library/torch_penalties.rs.

The file here was generated with PyTorch 2.15.0 (CPU, float64), Keras 3.15.1 on PyTorch and Python 3:

    KERAS_BACKEND=torch python tests/torch/penalties.py > tests/torch/penalties.json

The penalties are Keras' regularizers, added to the loss and differentiated by PyTorch. The limits use PyTorch's `renorm`.
"""

import json
import sys

import keras
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from common import KEPT, STEPS

keras.config.set_floatx("float64")

TABLE, FILTERS, HIDDEN, LAST = "0.weight", "2.weight", "5.weight", "7.weight"


class Network(nn.Sequential):
    """The network. Its names are those of Plywood's model, which has the same layers at the same positions."""

    def __init__(self):
        super().__init__(
            nn.Embedding(12, 4),  # a batch uses ids below 9
            nn.Unflatten(1, (1, 3)),
            nn.Conv2d(1, 3, 2),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(18, 5),
            nn.Tanh(),
            nn.Linear(5, 2),
        )


def tensor(t, turned=False):
    t = t.detach()
    t = t.T.contiguous() if turned else t
    return {"shape": list(t.shape), "data": t.reshape(-1).tolist()}


def weights(model):
    return {name: tensor(p, name in (HIDDEN, LAST)) for name, p in model.named_parameters()}


torch.manual_seed(5)
START = Network().state_dict()
START[TABLE] *= 0.5
START[TABLE][3, 1] = 0.0  # the absolute value has no derivative here
START[HIDDEN][2, 4] = 0.0
IDS = torch.randint(0, 9, (STEPS, 6, 3))
LABELS = torch.randint(0, 2, (STEPS, 6))


def run(make, l1={}, l2={}, limits={}, clip=None, batches=1, average=None, frozen=(), touched=False):
    """Trains on 20 batches. `l1` and `l2` are factors, and `limits` are norms, by parameter."""
    model = Network()
    model.load_state_dict(START)
    params = dict(model.named_parameters())
    for name in frozen:
        params[name].requires_grad_(False)
    optimizer = make([p for p in params.values() if p.requires_grad])
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(average)) if average else None
    kept, penalties = {}, {}
    for call in range(STEPS):
        loss = nn.functional.cross_entropy(model(IDS[call]), LABELS[call])
        penalty = sum(
            (keras.regularizers.L1L2(l1.get(n, 0.0), l2.get(n, 0.0))(p) for n, p in params.items() if n not in frozen),
            torch.zeros(()),
        )
        ((loss + penalty) / batches).backward()
        if (call + 1) % batches == 0:
            if clip:
                nn.utils.clip_grad_norm_(params.values(), clip)
            optimizer.step()
            optimizer.zero_grad()
            with torch.no_grad():
                for name, limit in limits.items():
                    rows = IDS[call].unique() if touched and name == TABLE else slice(None)
                    params[name][rows] = params[name][rows].renorm(2, 0, limit)
            if averaged:
                averaged.update_parameters(model)
        if call + 1 in KEPT:
            kept[str(call + 1)] = weights(averaged.module if averaged and averaged.n_averaged > 0 else model)
            penalties[str(call + 1)] = penalty.item()
    return {"weights": kept, "penalties": penalties}


def main():
    sgd = lambda momentum=0.0: lambda p: torch.optim.SGD(p, lr=0.3, momentum=momentum)
    adam = lambda p: torch.optim.Adam(p, lr=0.02)
    every = [TABLE, FILTERS, HIDDEN, LAST]
    both = lambda factor: {name: factor for name in every}
    runs = {
        "l1": run(sgd(), l1=both(0.01)),
        "l2": run(sgd(0.9), l2=both(0.02)),
        "one_layer": run(sgd(), l1={HIDDEN: 0.02}, l2={HIDDEN: 0.05, "5.bias": 0.1}),
        "clipped": run(adam, l1=both(0.05), l2=both(0.1), clip=0.2),
        "max_norm": run(sgd(), limits=both(0.6), touched=True),
        "batches": run(sgd(0.5), l1=both(0.01), l2=both(0.03), batches=5, clip=0.5),
        "frozen": run(adam, l2=both(0.05), limits=both(0.7), frozen=(FILTERS, "2.bias")),
        "all": run(adam, l1=both(0.01), l2=both(0.02), limits=both(0.8), clip=1.0, batches=2, average=0.7),
    }
    reference = {
        "torch": torch.__version__,
        "keras": keras.__version__,
        "start": {name: tensor(p, name in (HIDDEN, LAST)) for name, p in START.items()},
        "ids": IDS.tolist(),
        "labels": LABELS.tolist(),
        "runs": runs,
    }
    json.dump(reference, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()


if __name__ == "__main__":
    main()
