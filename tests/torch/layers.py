"""Generates tests/torch/layers.json: results of PyTorch's layers, used by tests/library/torch_layers.rs.

The file here was generated with PyTorch 2.15.0 (CPU, float64) and Python 3:

    python tests/torch/layers.py > tests/torch/layers.json

It needs PyTorch, but nothing from this crate. The notes in make.py on its file apply to this one, too. A case is one
layer, run forward and backward: parameters and buffers before and after, the input, the output, a random gradient of
the output, and the gradients of the input and the parameters.
"""

import json
import sys
from functools import reduce

import torch
from torch import nn

from common import tensor


def case(layer, x):
    state = lambda: {name: tensor(t) for name, t in layer.state_dict().items() if t.dim() > 0}
    before = state()
    ids = not x.is_floating_point()
    x = x.clone() if ids else x.clone().requires_grad_()
    y = layer(x)
    g = torch.randn_like(y)
    y.backward(g)
    return {
        "before": before,
        "x": tensor(x),
        "y": tensor(y),
        "g": tensor(g),
        "dx": None if ids else tensor(x.grad),
        "grads": {name: tensor(p.grad) for name, p in layer.named_parameters()},
        "after": state(),
    }


def shaken(layer):
    """Replaces the initial ones and zeros of the parameters by random values."""
    for p in layer.parameters():
        nn.init.normal_(p)
    return layer


class HardSigmoid(nn.Module):
    """Hard sigmoid in float64: the backward pass of nn.Hardsigmoid uses 1/6 in single precision, even in float64."""

    def forward(self, x):
        y = nn.functional.relu6(x + 3) / 6
        torch.testing.assert_close(y, nn.functional.hardsigmoid(x), rtol=1e-15, atol=1e-15)
        return y


def activations():
    torch.manual_seed(1)
    x = torch.randn(4, 6) * 3
    x[0] = torch.tensor([0.0, -0.0, 3.0, -3.0, 6.0, -6.0])  # the kinks
    x[1] = torch.tensor([700.0, -700.0, 40.0, -40.0, 1e-9, -1e-9])
    image = torch.randn(3, 4, 2, 5)
    return {
        "relu6": case(nn.ReLU6(), x),
        "elu": case(nn.ELU(), x),
        "elu_changed": case(nn.ELU(1.7), x),
        "selu": case(nn.SELU(), x),
        "hard_sigmoid": case(HardSigmoid(), x),
        "hard_swish": case(nn.Hardswish(), x),
        "gelu": case(nn.GELU(), x),
        "gelu_tanh": case(nn.GELU(approximate="tanh"), x),
        "silu": case(nn.SiLU(), x),
        "mish": case(nn.Mish(), x),
        # A large threshold, because PyTorch has an error of 2e-9 above the default one.
        "softplus": case(nn.Softplus(threshold=100), x),
        "softplus_changed": case(nn.Softplus(beta=2.5, threshold=100), x),
        "softsign": case(nn.Softsign(), x),
        "prelu": case(nn.PReLU(init=-0.3), x),
        "prelu_per_channel": case(shaken(nn.PReLU(4)), image),
        "log_softmax": case(nn.LogSoftmax(-1), x),
        "log_softmax_of_rows": case(nn.LogSoftmax(-1), image),
    }


def normalization():
    torch.manual_seed(2)
    x = torch.randn(5, 6) * 2 + 3
    image = torch.randn(3, 4, 2, 5) * 2 - 1
    volume = torch.randn(2, 3, 2, 2, 3)

    def running(layer):
        nn.init.normal_(layer.running_mean)
        nn.init.uniform_(layer.running_var, 0.5, 2.0)
        return shaken(layer)

    return {
        "batch_norm_1d": case(running(nn.BatchNorm1d(6)), x),
        "batch_norm_1d_of_sequences": case(running(nn.BatchNorm1d(4)), image.flatten(2)),
        "batch_norm_2d": case(running(nn.BatchNorm2d(4)), image),
        "batch_norm_2d_changed": case(running(nn.BatchNorm2d(4, eps=1e-2, momentum=0.3)), image),
        "batch_norm_2d_of_one": case(running(nn.BatchNorm2d(4)), image[:1]),
        "batch_norm_3d": case(running(nn.BatchNorm3d(3)), volume),
        "layer_norm": case(shaken(nn.LayerNorm(6)), x),
        "layer_norm_of_rows": case(shaken(nn.LayerNorm(5, eps=1e-3)), image),
        "layer_norm_of_two_axes": case(shaken(nn.LayerNorm([2, 5])), image),
        "layer_norm_of_samples": case(shaken(nn.LayerNorm([4, 2, 5], bias=False)), image),
        "group_norm": case(shaken(nn.GroupNorm(2, 4)), image),
        "group_norm_of_all": case(shaken(nn.GroupNorm(1, 4, eps=1e-3)), image),
        "group_norm_of_features": case(shaken(nn.GroupNorm(3, 6)), x),
        "instance_norm": case(shaken(nn.InstanceNorm2d(4, affine=True)), image),
        "rms_norm": case(shaken(nn.RMSNorm(6)), x),
        "rms_norm_of_rows": case(shaken(nn.RMSNorm(5, eps=1e-2)), image),
    }


def embeddings():
    torch.manual_seed(3)
    ids = torch.randint(0, 9, (6, 5))
    ids[1, 2:] = 0
    ids[2] = 0
    ids[3] = 4

    def bag(**settings):
        layer = shaken(nn.EmbeddingBag(9, 4, **settings))
        if "padding_idx" in settings:
            with torch.no_grad():
                layer.weight[settings["padding_idx"]] = 0
        return layer

    padded = nn.Embedding(9, 4, padding_idx=0)
    return {
        "embedding": case(nn.Embedding(9, 4), ids),
        "embedding_with_padding": case(padded, ids),
        "embedding_of_images": case(nn.Embedding(9, 4), ids.reshape(2, 3, 5)),
        "bag_mean": case(bag(mode="mean"), ids),
        "bag_mean_with_padding": case(bag(mode="mean", padding_idx=0), ids),
        "bag_sum": case(bag(mode="sum"), ids),
        "bag_sum_with_padding": case(bag(mode="sum", padding_idx=4), ids),
        "bag_max": case(bag(mode="max"), ids),
        "bag_max_with_padding": case(bag(mode="max", padding_idx=0), ids),
    }


class Residual(nn.Module):
    def __init__(self, block, projection=None):
        super().__init__()
        self.block = block
        if projection is not None:
            self.projection = projection

    def forward(self, x):
        return (self.projection(x) if hasattr(self, "projection") else x) + self.block(x)


class Sum(nn.ModuleList):
    def forward(self, x):
        return sum(branch(x) for branch in self)


class Mean(nn.ModuleList):
    def forward(self, x):
        return sum(branch(x) for branch in self) / len(self)


class Product(nn.ModuleList):
    def forward(self, x):
        return reduce(torch.mul, (branch(x) for branch in self))


class Maximum(nn.ModuleList):
    def forward(self, x):
        return reduce(torch.maximum, (branch(x) for branch in self))


class Concat(nn.ModuleList):
    axis = 1

    def forward(self, x):
        return torch.cat([branch(x) for branch in self], dim=self.axis)


def containers():
    """Containers of layers without matrices, because PyTorch stores matrices transposed."""
    torch.manual_seed(4)
    x, image = torch.randn(5, 6), torch.randn(3, 4, 2, 5)
    norm = lambda n: shaken(nn.LayerNorm(n))
    last = Concat([nn.Sequential(nn.Tanh()), nn.Sequential(norm(5)), nn.Sequential()])
    last.axis = 3
    return {
        "residual": case(Residual(nn.Sequential(norm(6), nn.SiLU())), x),
        "residual_with_projection": case(Residual(nn.Sequential(norm(6), nn.GELU()), nn.Sequential(norm(6))), x),
        "sum": case(Sum([nn.Sequential(norm(5), nn.Tanh()), nn.Sequential(), nn.Sequential(shaken(nn.PReLU(4)))]), image),
        "concat": case(Concat([nn.Sequential(norm(6), nn.Tanh()), nn.Sequential()]), x),
        "concat_of_channels": case(
            Concat([nn.Sequential(), nn.Sequential(shaken(nn.GroupNorm(2, 4))), nn.Sequential(nn.Mish())]), image
        ),
        "concat_along_the_last_axis": case(last, image),
        "mean": case(Mean([nn.Sequential(norm(5), nn.Tanh()), nn.Sequential(), nn.Sequential(nn.SiLU())]), image),
        "product": case(Product([nn.Sequential(norm(6)), nn.Sequential(nn.Sigmoid()), nn.Sequential()]), x),
        "product_with_a_gate": case(
            Product([nn.Sequential(norm(5)), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Sigmoid())]), image
        ),
        "product_that_repeats_rows": case(
            Product([nn.Sequential(nn.AdaptiveAvgPool2d((1, 5)), nn.Tanh()), nn.Sequential(), nn.Sequential(norm(5))]), image
        ),
        "maximum": case(Maximum([nn.Sequential(norm(6)), nn.Sequential(nn.Tanh()), nn.Sequential(norm(6))]), x),
    }


if __name__ == "__main__":
    reference = {
        "torch": torch.__version__,
        "activations": activations(),
        "normalization": normalization(),
        "embeddings": embeddings(),
        "containers": containers(),
    }
    json.dump(reference, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()
