"""Generates tests/torch/several.json: a model of two inputs and three outputs trained for three epochs, used by
tests/library/torch_several.rs.

The file here was generated with PyTorch 2.15.0 (CPU, float64) and Python 3:

    python tests/torch/several.py > tests/torch/several.json

Two of the outputs have a loss, with the weights 1 and 0.3, and one is only read. Samples have weights; some have no class,
some have no size, and those that have one have weights of their own for it. With w for the weight of a sample and o for that
of its target (0 where it is missing), a step takes the gradient of

    sum over outputs k of  weight_k * sum over samples i of w_i * o_ki * l_ki / n

with n samples in the batch; the value of an epoch is, for each output, the quotient of the sums of w * o * l and of w * o
over all batches, and "loss" the sum of these times the weights.
"""

import json

import torch
from torch import nn
from torch.nn import functional as F

from common import tensor

SAMPLES, BATCH, EPOCHS, RATE, SIZE_WEIGHT = 23, 5, 3, 0.02, 0.3

torch.manual_seed(11)
IMAGE = torch.randn(SAMPLES, 1, 4, 4)
ROW = torch.randn(SAMPLES, 3)
CLASS = torch.randint(0, 3, (SAMPLES,))
SIZE = torch.randn(SAMPLES, 2)
WEIGHTS = torch.rand(SAMPLES) + 0.2
HAS_CLASS = torch.rand(SAMPLES) > 0.25
SIZE_WEIGHTS = torch.where(torch.rand(SAMPLES) > 0.3, torch.rand(SAMPLES) + 0.5, torch.zeros(SAMPLES))
# A batch without any class, and one without any size.
HAS_CLASS[5:10] = False
SIZE_WEIGHTS[10:15] = 0.0
OWN = {"class": HAS_CLASS.double(), "size": SIZE_WEIGHTS}
WEIGHT = {"class": 1.0, "size": SIZE_WEIGHT}


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.pixels = nn.Linear(16, 6)
        self.joined = nn.Linear(9, 5)
        self.logits = nn.Linear(5, 3)
        self.sizes = nn.Linear(5, 2)

    def forward(self, image, row):
        x = torch.tanh(self.pixels(image.flatten(1)))
        x = torch.tanh(self.joined(torch.cat([x, row], -1)))
        return {"class": self.logits(x), "size": self.sizes(x), "embedding": x}


def each(outputs, rows):
    """The loss of each sample, for each output."""
    return {
        "class": F.cross_entropy(outputs["class"], CLASS[rows], reduction="none"),
        "size": (outputs["size"] - SIZE[rows]).square().mean(-1),
    }


def values(sums):
    means = {name: (sums[name][0] / sums[name][1]).item() for name in sums}
    return {
        "loss": sum(WEIGHT[name] * mean for name, mean in means.items()),
        **{f"{name}_loss": mean for name, mean in means.items()},
    }


def metrics(outputs, rows, total):
    w = WEIGHTS[rows] * OWN["class"][rows]
    right = (outputs["class"].argmax(-1) == CLASS[rows]).double()
    total["class_accuracy"] += torch.stack([(w * right).sum(), w.sum()])
    w = WEIGHTS[rows] * OWN["size"][rows]
    apart = (outputs["size"] - SIZE[rows]).abs().mean(-1)
    total["size_mean_absolute_error"] += torch.stack([(w * apart).sum(), w.sum()])


model = Network()
start = {name: tensor(p.T if p.ndim == 2 else p) for name, p in model.named_parameters()}
optimizer = torch.optim.Adam(model.parameters(), lr=RATE, eps=1e-7)
epochs = []
for _ in range(EPOCHS):
    sums = {name: torch.zeros(2) for name in OWN}
    total = {"class_accuracy": torch.zeros(2), "size_mean_absolute_error": torch.zeros(2)}
    for first in range(0, SAMPLES, BATCH):
        rows = slice(first, min(SAMPLES, first + BATCH))
        outputs = model(IMAGE[rows], ROW[rows])
        loss = 0.0
        for name, of_sample in each(outputs, rows).items():
            w = WEIGHTS[rows] * OWN[name][rows]
            loss = loss + WEIGHT[name] * (w * of_sample).sum() / len(w)
            sums[name] += torch.stack([(w * of_sample).sum().detach(), w.sum()])
        metrics(outputs, rows, total)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    epochs.append({**values(sums), **{name: (t[0] / t[1]).item() for name, t in total.items()}})

with torch.no_grad():
    outputs = model(IMAGE, ROW)
    everything = slice(0, SAMPLES)
    of_samples = each(outputs, everything)
    sums = {
        name: torch.stack([(WEIGHTS * OWN[name] * of_samples[name]).sum(), (WEIGHTS * OWN[name]).sum()])
        for name in OWN
    }
    total = {"class_accuracy": torch.zeros(2), "size_mean_absolute_error": torch.zeros(2)}
    metrics(outputs, everything, total)
    evaluation = {**values(sums), **{name: (t[0] / t[1]).item() for name, t in total.items()}}

print(
    json.dumps(
        {
            "image": tensor(IMAGE),
            "row": tensor(ROW),
            "class": [c if h else None for c, h in zip(CLASS.tolist(), HAS_CLASS.tolist())],
            "size": tensor(SIZE),
            "weights": WEIGHTS.tolist(),
            "size_weights": SIZE_WEIGHTS.tolist(),
            "start": start,
            "epochs": epochs,
            "evaluation": evaluation,
            "embedding": tensor(outputs["embedding"]),
            "end": {name: tensor(p.T if p.ndim == 2 else p) for name, p in model.named_parameters()},
        }
    )
)
