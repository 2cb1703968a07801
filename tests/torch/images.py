"""Generates tests/torch/images.json: results of PyTorch's layers over images, used by tests/library/torch_images.rs.

The file here was generated with PyTorch 2.15.0 (CPU, float64) and Python 3:

    python tests/torch/images.py > tests/torch/images.json

It needs PyTorch, but nothing from this crate. As in make.py, everything is float64 and generated from one seed, and
tensors are {"shape": [...], "data": [...]}. To keep the file small, inputs and weights are rounded to three digits and
everything else to twelve.
"""

import json
import sys

import torch
from torch import nn

import common  # noqa: F401, sets PyTorch up


def draw(*shape):
    return (torch.randn(shape) * 1000).round() / 1000


def tensor(t):
    # Sums of products of two numbers with three digits have six digits, apart from rounding errors and averages.
    return {"shape": list(t.shape), "data": [round(v, 12) for v in t.detach().reshape(-1).tolist()]}


def case(layer, x):
    """Runs a layer forward and backward; the loss is a random linear combination of the outputs."""
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(draw(*p.shape))
    x = x.clone().requires_grad_()
    y = layer(x)
    g = draw(*y.shape)
    y.backward(g)
    ours = lambda name: name.removeprefix("layer.")
    return {
        "before": {ours(name): tensor(t) for name, t in layer.state_dict().items()},
        "x": tensor(x),
        "y": tensor(y),
        "g": tensor(g),
        "dx": tensor(x.grad),
        "grads": {ours(name): tensor(p.grad) for name, p in layer.named_parameters()},
    }


class Shifted(nn.Module):
    """Pads with zeros as Keras does: PyTorch does not support padding "same" with a stride."""

    def __init__(self, pads, layer):
        super().__init__()
        self.pads, self.layer = pads, layer

    def forward(self, x):
        return self.layer(nn.functional.pad(x, self.pads))


def convolutions():
    torch.manual_seed(11)
    image, wide = draw(3, 2, 7, 6), draw(2, 4, 9, 5)
    sequence = draw(3, 2, 11)
    return {
        "conv2d": case(nn.Conv2d(2, 3, 3), image),
        "conv2d_without_bias": case(nn.Conv2d(2, 3, (2, 3), bias=False), image),
        "conv2d_same": case(nn.Conv2d(2, 3, (3, 5), padding="same"), image),
        "conv2d_same_even": case(nn.Conv2d(2, 3, (2, 4), padding="same"), image),
        "conv2d_same_dilated": case(nn.Conv2d(2, 3, (3, 2), padding="same", dilation=(2, 3)), image),
        # 7 rows, stride 2: 4 outputs need 9 rows, so one is added at each end. 6 columns, stride 3: 2 outputs, no padding.
        "conv2d_same_strided": case(Shifted((0, 0, 1, 1), nn.Conv2d(2, 3, 3, stride=(2, 3))), image),
        # 6 columns, stride 2: 3 outputs need 7 columns, so one is added at the end.
        "conv2d_same_uneven": case(Shifted((0, 1, 1, 1), nn.Conv2d(2, 3, 3, stride=2)), image),
        "conv2d_strided": case(nn.Conv2d(2, 4, 3, stride=(2, 3), padding=(1, 2)), image),
        "conv2d_far": case(nn.Conv2d(2, 2, 1, stride=5), image),
        "conv2d_dilated": case(nn.Conv2d(2, 2, 2, dilation=(3, 2), padding=1, stride=2), image),
        "conv2d_groups": case(nn.Conv2d(4, 6, 3, groups=2, padding=1), wide),
        "conv2d_depthwise": case(nn.Conv2d(4, 4, (3, 2), groups=4, padding=1, stride=2), wide),
        "conv2d_depthwise_twice": case(nn.Conv2d(4, 8, 3, groups=4), wide),
        "conv2d_pointwise": case(nn.Conv2d(4, 3, 1), wide),
        "conv2d_whole": case(nn.Conv2d(4, 5, (9, 5)), wide),
        "conv2d_long_rows": case(nn.Conv2d(1, 2, 3, padding=1), draw(2, 1, 3, 37)),
        "conv1d": case(nn.Conv1d(2, 3, 4), sequence),
        "conv1d_same": case(nn.Conv1d(2, 3, 4, padding="same", dilation=2), sequence),
        "conv1d_strided": case(nn.Conv1d(2, 4, 3, stride=2, padding=2, groups=2), sequence),
        "conv1d_depthwise": case(nn.Conv1d(2, 2, 3, groups=2, bias=False), sequence),
    }


def ties(*shape):
    """Returns random numbers, some of which are equal."""
    return torch.randint(-2, 3, shape).double()


def pools():
    torch.manual_seed(12)
    image = draw(2, 3, 7, 6)
    sequence = draw(2, 3, 9)
    return {
        "max_pool2d": case(nn.MaxPool2d(2), image),
        "max_pool2d_ties": case(nn.MaxPool2d(2), ties(2, 3, 8, 8)),
        "max_pool2d_three": case(nn.MaxPool2d(3), ties(2, 2, 9, 10)),
        "max_pool2d_overlapping": case(nn.MaxPool2d(3, stride=(1, 2), padding=1), ties(2, 2, 7, 6)),
        "max_pool2d_gaps": case(nn.MaxPool2d((2, 1), stride=3), image),
        "max_pool2d_wide": case(nn.MaxPool2d((1, 5), stride=(2, 1), padding=(0, 2)), image),
        "max_pool1d": case(nn.MaxPool1d(2), sequence),
        "max_pool1d_padded": case(nn.MaxPool1d(3, stride=2, padding=1), sequence),
        "avg_pool2d": case(nn.AvgPool2d(2), image),
        "avg_pool2d_padded": case(nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 1)), image),
        "avg_pool2d_without_pad": case(
            nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 1), count_include_pad=False), image
        ),
        "avg_pool1d": case(nn.AvgPool1d(2), sequence),
        "avg_pool1d_padded": case(nn.AvgPool1d(4, stride=3, padding=2), sequence),
        "global_avg_pool": case(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), image),
        "global_max_pool": case(nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()), image),
        "global_avg_pool_of_sequences": case(nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten()), sequence),
        "adaptive_avg_pool2d": case(nn.AdaptiveAvgPool2d((3, 4)), image),
        "adaptive_avg_pool2d_larger": case(nn.AdaptiveAvgPool2d((9, 2)), image),
        "zero_pad2d": case(nn.ZeroPad2d(2), image),
        "zero_pad2d_each": case(nn.ZeroPad2d((3, 0, 1, 2)), image),
        "upsample": case(nn.Upsample(scale_factor=2), draw(2, 2, 3, 4)),
        "upsample_each": case(nn.Upsample(scale_factor=(3, 1)), draw(2, 2, 3, 4)),
    }


if __name__ == "__main__":
    reference = {"torch": torch.__version__, "convolutions": convolutions(), "pools": pools()}
    json.dump(reference, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()
