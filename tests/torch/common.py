"""What the scripts in this folder share: PyTorch in float64 on one thread, and how tensors are written."""

import torch

torch.set_default_dtype(torch.float64)
torch.use_deterministic_algorithms(True)
torch.set_num_threads(1)

# The number of steps of each optimizer, and the steps whose parameters are kept.
STEPS = 20
KEPT = [1, 2, 5, 20]


def tensor(t):
    t = t.detach()
    return {"shape": list(t.shape), "data": t.reshape(-1).tolist()}
