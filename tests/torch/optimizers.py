"""Generates tests/torch/optimizers.json: results of PyTorch and others, used by tests/library/torch_optimizers.rs.

The file here was generated with PyTorch 2.15.0 (CPU, float64), Keras 3.15.1 on PyTorch, schedulefree 1.4.1 and Python 3:

    KERAS_BACKEND=torch python tests/torch/optimizers.py > tests/torch/optimizers.json

Everything is float64 and generated from one seed. Tensors are {"shape": [...], "data": [...]}. Numbers read back to the
same bits.
"""

import json
import sys

import torch
from torch import nn
from torch.optim import lr_scheduler as lr
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

from common import KEPT, STEPS, tensor


def draw():
    """Returns a matrix, a vector and an array with three axes, and their gradients at each step."""
    torch.manual_seed(11)
    start = [torch.randn(4, 3), torch.randn(3), torch.randn(2, 2, 2)]
    grads = [[torch.randn_like(p) for p in start] for _ in range(STEPS)]
    for matrix, vector, _ in grads:
        matrix[1] *= 1e-7  # small enough for epsilon to matter
        matrix[2, 0] = 0.0  # the gradient is always 0
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
    """Clipping, groups, steps over several batches, averages."""

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


def rules():
    """Every update rule except SGD, Adam and AdamW, which are in make.py."""
    o = torch.optim

    def run(make, before=None, evaluate=None):
        params = [nn.Parameter(p.clone()) for p in START]
        optimizers = make(params)
        optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
        values = {}
        for step in range(1, STEPS + 1):
            for p, g in zip(params, GRADS[step - 1]):
                p.grad = g.clone()
            for optimizer in optimizers:
                if before:
                    before(optimizer, step)
                optimizer.step()
            if step in KEPT:
                if evaluate:
                    optimizer.eval()
                values[str(step)] = [tensor(p) for p in params]
                if evaluate:
                    optimizer.train()
        return values

    def muon(scale, **settings):
        """Muon for matrices, transposed to the layout of Dense; AdamW for the rest."""
        # PyTorch computes the Newton-Schulz products in bfloat16 for any type of parameter; here, their own type is used.
        class Turned(o.Muon):
            def step(self):
                for group in self.param_groups:
                    for p in group["params"]:
                        p.data, p.grad = p.data.T, p.grad.T
                        self.state[p].setdefault("momentum_buffer", torch.zeros_like(p.data))
                half, torch.bfloat16 = torch.bfloat16, torch.float64
                super().step()
                torch.bfloat16 = half
                for group in self.param_groups:
                    for p in group["params"]:
                        p.data, p.grad = p.data.T.contiguous(), None

        decay = settings.get("weight_decay", 0.1)
        return lambda p: [
            Turned([p[0]], lr=0.01, adjust_lr_fn=scale, **settings),
            o.AdamW(p[1:], lr=0.01, weight_decay=decay),
        ]

    def lion(**settings):
        """Lion of Keras, in float64."""
        import keras

        keras.config.set_floatx("float64")
        variables = [keras.Variable(p.numpy(), dtype="float64") for p in START]
        optimizer = keras.optimizers.Lion(**settings)
        values = {}
        for step in range(1, STEPS + 1):
            optimizer.apply([g.clone() for g in GRADS[step - 1]], variables)
            if step in KEPT:
                values[str(step)] = [tensor(torch.tensor(v.numpy())) for v in variables]
        return values

    def free(warm_up=0, **settings):
        from schedulefree import AdamWScheduleFree

        def make(p):
            optimizer = AdamWScheduleFree(p, warmup_steps=warm_up, foreach=False, **settings)
            optimizer.train()
            return optimizer

        return run(make, evaluate=True)

    return {
        "rmsprop": run(lambda p: o.RMSprop(p, lr=0.01)),
        "rmsprop_decay": run(lambda p: o.RMSprop(p, lr=0.02, alpha=0.9, eps=1e-4, weight_decay=0.1)),
        "rmsprop_centred": run(lambda p: o.RMSprop(p, lr=0.01, centered=True, eps=1e-3)),
        "rmsprop_momentum": run(lambda p: o.RMSprop(p, lr=0.01, momentum=0.9)),
        "rmsprop_all": run(
            lambda p: o.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-3, centered=True, momentum=0.8, weight_decay=0.1)
        ),
        "adagrad": run(lambda p: o.Adagrad(p)),
        "adagrad_all": run(
            lambda p: o.Adagrad(
                p, lr=0.1, lr_decay=0.05, initial_accumulator_value=0.1, eps=1e-4, weight_decay=0.1
            )
        ),
        "adadelta": run(lambda p: o.Adadelta(p)),
        "adadelta_all": run(lambda p: o.Adadelta(p, lr=0.5, rho=0.95, eps=1e-3, weight_decay=0.1)),
        "adamax": run(lambda p: o.Adamax(p)),
        "adamax_all": run(lambda p: o.Adamax(p, lr=0.01, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
        "nadam": run(lambda p: o.NAdam(p)),
        "nadam_decay": run(
            lambda p: o.NAdam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-3, momentum_decay=0.1, weight_decay=0.1)
        ),
        "nadam_decoupled": run(
            lambda p: o.NAdam(p, lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)
        ),
        "radam": run(lambda p: o.RAdam(p, lr=0.01)),
        "radam_decay": run(lambda p: o.RAdam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
        "radam_decoupled": run(
            lambda p: o.RAdam(p, lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)
        ),
        "amsgrad": run(lambda p: o.Adam(p, lr=0.01, betas=(0.8, 0.5), amsgrad=True)),
        "amsgrad_decay": run(lambda p: o.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.1)),
        "amsgrad_decoupled": run(lambda p: o.AdamW(p, lr=0.01, betas=(0.8, 0.5), amsgrad=True, weight_decay=0.2)),
        "lion": lion(learning_rate=0.01),
        "lion_decay": lion(learning_rate=0.02, beta_1=0.8, beta_2=0.9, weight_decay=0.1),
        "muon": run(muon("match_rms_adamw")),
        "muon_original": run(muon("original", weight_decay=0.2, momentum=0.9, nesterov=False, ns_steps=3)),
        "schedule_free": free(),
        "schedule_free_all": free(warm_up=5, lr=0.01, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    }


def schedules():
    """Returns the learning rates of 40 steps for each schedule."""
    count = 40

    def rates(make, start=0.1):
        param = nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([param], lr=start)
        scheduler = make(optimizer)
        found = []
        for _ in range(count):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return found

    def sequence(o):
        parts = [lr.LinearLR(o, start_factor=0.1, total_iters=8), lr.CosineAnnealingLR(o, T_max=20)]
        return lr.SequentialLR(o, parts, milestones=[8])

    def three(o):
        parts = [lr.ConstantLR(o, factor=0.5, total_iters=100), lr.ExponentialLR(o, 0.9), lr.StepLR(o, 4, 0.5)]
        return lr.SequentialLR(o, parts, milestones=[10, 25])

    def plateau(values, **settings):
        param = nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([param], lr=0.1)
        scheduler = lr.ReduceLROnPlateau(optimizer, eps=0.0, **settings)
        found = []
        for value in values:
            scheduler.step(value)
            found.append(optimizer.param_groups[0]["lr"])
        return {"values": values, "rates": found}

    def keras_constant():
        import keras

        keras.config.set_floatx("float64")
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay([9, 24], [0.1, 0.05, 0.01])
        return [float(schedule(torch.tensor(step, dtype=torch.float64))) for step in range(count)]

    def lines():
        import numpy

        return numpy.interp(range(1, count + 1), [3, 10, 30], [0.01, 0.1, 0.02]).tolist()

    torch.manual_seed(12)
    falling = (1.0 / torch.arange(1, 31).clamp(max=8) + 0.1 * torch.rand(30)).tolist()
    rising = [1.0 - value for value in falling]
    return {
        "step": rates(lambda o: lr.StepLR(o, 7, 0.3)),
        "multi_step": rates(lambda o: lr.MultiStepLR(o, [5, 6, 30], 0.3)),
        "exponential": rates(lambda o: lr.ExponentialLR(o, 0.9)),
        "polynomial": rates(lambda o: lr.PolynomialLR(o, 30, 2.5)),
        "cosine": rates(lambda o: lr.CosineAnnealingLR(o, T_max=count)),
        "restarts": rates(lambda o: lr.CosineAnnealingWarmRestarts(o, 5, 2, 0.01)),
        "restarts_equal": rates(lambda o: lr.CosineAnnealingWarmRestarts(o, 7)),
        "warm_up": rates(lambda o: lr.LinearLR(o, start_factor=0.2, total_iters=10)),
        "warm_up_cosine": rates(sequence),
        "one_cycle": rates(
            lambda o: lr.OneCycleLR(o, max_lr=0.2, total_steps=count, cycle_momentum=False)
        ),
        "one_cycle_linear": rates(
            lambda o: lr.OneCycleLR(
                o, 0.2, total_steps=count, pct_start=0.45, anneal_strategy="linear", cycle_momentum=False,
                div_factor=10.0, final_div_factor=100.0,
            )
        ),
        "chain": rates(three),
        "factors": rates(lambda o: lr.ChainedScheduler([lr.ExponentialLR(o, 0.95), lr.StepLR(o, 10, 0.5)])),
        "piecewise": keras_constant(),
        "piecewise_lines": lines(),
        "plateau": plateau(falling, factor=0.5, patience=2, threshold=0.01, cooldown=1),
        "plateau_rising": plateau(rising, mode="max", factor=0.3, patience=1, min_lr=0.004),
    }


if __name__ == "__main__":
    reference = {
        "torch": torch.__version__,
        "start": [tensor(p) for p in START],
        "grads": [[tensor(g) for g in step] for step in GRADS],
        "structure": structure(),
        "rules": rules(),
        "schedules": schedules(),
    }
    json.dump(reference, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()
