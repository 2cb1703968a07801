"""Generates tests/torch/state_dict.safetensors and state_dict.json, and loads files written by Plywood into PyTorch.

    python tests/torch/state_dict.py make           # writes both files here
    cargo test state_dict::                         # loads them; PLYWOOD_WEIGHTS=<file> also writes its own
    python tests/torch/state_dict.py check <file>   # loads that file, strictly, and compares the logits

It needs PyTorch and safetensors, but nothing from this crate. The files were generated with PyTorch 2.15.0 and
safetensors 0.8.0. In PyTorch, layers are named by their positions in nn.Sequential, as in Plywood.
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file
from torch import nn

HERE = pathlib.Path(__file__).parent
torch.set_num_threads(1)


def network():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.GroupNorm(2, 4),
        nn.PReLU(),
        nn.Flatten(),
        nn.Linear(36, 8),
        nn.LayerNorm(8),
        nn.GELU(),
        nn.Sequential(nn.Linear(8, 6, bias=False), nn.BatchNorm1d(6), nn.Tanh()),
        nn.Linear(6, 3),
    )


def inputs():
    """Returns the inputs. They need no file: tests/library/state_dict.rs computes the same ones."""
    n = torch.arange(5 * 2 * 6 * 6, dtype=torch.float32)
    return ((n * 37) % 101 / 50 - 1).reshape(5, 2, 6, 6)


def make():
    torch.manual_seed(4)
    model = network()
    model.train()
    for _ in range(3):  # changes the running statistics from their initial values
        model(torch.randn(8, 2, 6, 6) * 2 + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter) * 0.1
    model.eval()
    save_file(model.state_dict(), HERE / "state_dict.safetensors")
    logits = model(inputs()).detach()
    (HERE / "state_dict.json").write_text(json.dumps({"logits": logits.tolist()}) + "\n")


def check(path):
    model = network()
    result = model.load_state_dict(load_file(path), strict=False)
    # PyTorch counts the batches that batch normalization has seen; Plywood does not.
    missing = [name for name in result.missing_keys if not name.endswith("num_batches_tracked")]
    assert not missing and not result.unexpected_keys, result
    model.eval()
    expected = torch.tensor(json.loads((HERE / "state_dict.json").read_text())["logits"])
    apart = (model(inputs()) - expected).abs().max().item()
    assert apart <= 1e-6, apart
    print(f"logits agree to {apart:.1e}")


if __name__ == "__main__":
    if sys.argv[1:] == ["make"]:
        make()
    elif len(sys.argv) == 3 and sys.argv[1] == "check":
        check(sys.argv[2])
    else:
        sys.exit(__doc__)
