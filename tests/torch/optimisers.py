"""Makes tests/torch/optimisers.json: what PyTorch and others compute, for tests/torch_optimisers.rs to compare with.

The file here was made with PyTorch 2.15.0 (CPU, float64) and Python 3:

    python tests/torch/optimisers.py > tests/torch/optimisers.json

Everything is float64 and drawn from one seed. Tensors are {"shape": [...], "data": [...]}, numbers read back to the same
bits.
"""

import json
import sys

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

torch.set_default_dtype(torch.float64)
torch.use_deterministic_algorithms(True)
torch.set_num_threads(1)

STEPS = 20
KEPT = [1, 2, 5, 20]


def tensor(t):
    t = t.detach()
    return {"shape": list(t.shape), "data": t.reshape(-1).tolist()}


def draw():
    """A matrix, a vector and an array of three axes, and their gradients at each step."""
    torch.manual_seed(11)
    start = [torch.randn(4, 3), torch.randn(3), torch.randn(2, 2, 2)]
    grads = [[torch.randn_like(p) for p in start] for _ in range(STEPS)]
    for matrix, vector, _ in grads:
        matrix[1] *= 1e-7  # where an epsilon counts
        matrix[2, 0] = 0.0  # never any gradient
        vector[1] *= 10.0
    return start, grads


START, GRADS = draw()


class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.list = nn.ParameterList([nn.Parameter(p.clone()) for p in START])

    def forward(self, x):
        return x


def structure():
    """Clipping, groups, batches that make one step, averages."""

    def run(make, before=None, batches=1, average=None):
        model = Holder()
        params = list(model.list)
        optimizer = make(params)
        averaged, starts, every = average(model) if average else (None, 1, 1)
        values, taken = {}, 0
        for call in range(1, STEPS + 1):
            for p, g in zip(params, GRADS[call - 1]):
                p.grad = g / batches + (0 if p.grad is None else p.grad)
            if call % batches == 0:
                if before:
                    before(params)
                optimizer.step()
                optimizer.zero_grad()
                taken += 1
                if averaged and taken >= starts and (taken - starts) % every == 0:
                    averaged.update_parameters(model)
            if call in KEPT:
                held = averaged.module if averaged and averaged.n_averaged > 0 else model
                values[str(call)] = [tensor(p) for p in held.list]
        return values

    sgd, adam, adamw = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
    clip_value, clip_norm = nn.utils.clip_grad_value_, nn.utils.clip_grad_norm_

    def all_kinds(params):
        clip_value(params, 2.0)
        for p in params:
            clip_norm([p], 3.0)
        clip_norm(params, 4.0)

    groups = lambda make, decays: lambda p: make(
        [
            {"params": [p[0]], "lr": 0.005, "weight_decay": decays[0]},
            {"params": [p[1]], "lr": 0.01, "weight_decay": decays[1]},
            {"params": [p[2]], "lr": 0.02, "weight_decay": decays[2]},
        ]
    )
    return {
        "clip_value": run(lambda p: sgd(p, lr=0.1), lambda p: clip_value(p, 0.5)),
        "clip_each": run(lambda p: sgd(p, lr=0.1), lambda p: [clip_norm([q], 2.0) for q in p]),
        "clip_all_kinds": run(lambda p: adam(p, lr=0.01), all_kinds),
        "groups_sgd": run(groups(sgd, (0.1, 0.0, 0.3))),
        "groups_adam": run(groups(adam, (0.1, 0.0, 0.3))),
        "groups_adamw": run(groups(adamw, (0.1, 0.0, 0.3))),
        "batches": run(lambda p: adam(p, lr=0.01), lambda p: clip_norm(p, 2.0), batches=5),
        "exponential": run(
            lambda p: adam(p, lr=0.01),
            average=lambda m: (AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(0.9)), 1, 1),
        ),
        "uniform": run(
            lambda p: sgd(p, lr=0.1, momentum=0.9),
            average=lambda m: (AveragedModel(m, multi_avg_fn=get_swa_multi_avg_fn()), 2, 3),
        ),
    }


if __name__ == "__main__":
    reference = {
        "torch": torch.__version__,
        "start": [tensor(p) for p in START],
        "grads": [[tensor(g) for g in step] for step in GRADS],
        "structure": structure(),
    }
    json.dump(reference, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()
