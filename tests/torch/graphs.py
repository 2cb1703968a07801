"""Generates tests/torch/graphs.json: what PyTorch computes for the expressions in tests/library/torch_graphs.rs.

The file here was generated with PyTorch 2.15.0 (CPU, float64) and Python 3:

    python tests/torch/graphs.py > tests/torch/graphs.json

It needs PyTorch, but nothing from this crate. As in make.py, everything is float64 and generated from fixed seeds. To
keep the file small, tensors are nested lists, inputs and parameters have one or two digits after the point, and everything
else is rounded to eleven.

A case is one expression: the values that it reads, by what they are in a graph ("inputs", "params", "constants", and the
parameters and buffers of "layers"); its outputs "y"; a random gradient "g" at each of them; and the gradients "grads" at
all inputs and parameters. A case with buffers also has them after the training step, and the same in inference.

Where a function has a kink, or takes the largest of several numbers, the inputs keep away from it: what libraries do there
differs. "broadcasting" has for each pair of shapes what its functions share in "of".
"""

import json
import sys

import torch
from torch.func import functional_call
from torch.nn import functional as F

import common  # noqa: F401, sets PyTorch up


def draw(*shape):
    """Returns numbers with one digit after the point, none of them 0."""
    numbers = (torch.randn(shape) * 10).round()
    return torch.where(numbers == 0, 1.0, numbers) / 10


def distinct(*shape):
    """Returns numbers at least 0.23 from each other, and none within 0.05 of 0, or of -0.5 and 0.6."""
    n = torch.Size(shape).numel()
    numbers = (torch.randperm(n) - n // 2) * 0.23 + 0.07
    return ((numbers * 100).round() / 100).reshape(shape)


def positive(*shape):
    return draw(*shape).abs() + 0.25


def away(t):
    """Moves numbers away from 0, and from all numbers with one digit."""
    return (torch.where(t < 0, t - 0.55, t + 0.55) * 100).round() / 100


def apart(t, *edges):
    """Returns the tensor, none of whose numbers is near these ones."""
    assert all((t - edge).abs().min() > 0.004 for edge in edges or [0.0])
    return t


class Role:
    """A value with what it is in a graph."""

    def __init__(self, role, tensor):
        self.role, self.tensor = role, tensor


def inp(t):
    return Role("inputs", t)


def par(t):
    return Role("params", t)


def const(t):
    return Role("constants", t)


def layer(t):
    return Role("layers", t)


def buffer(t):
    return Role("buffers", t)


def tensor(t):
    def rounded(v):
        if isinstance(v, list):
            return [rounded(v) for v in v]
        return int(v) if v == int(v) else round(v, 11)

    return rounded(t.detach().tolist())


def run(f, values, g, **arguments):
    """Runs an expression forward and backward. Returns the outputs, all gradients, and the buffers after it."""
    read = {}
    for name, value in values.items():
        t = value.tensor.clone()
        read[name] = t.requires_grad_() if value.role in ("inputs", "params", "layers") else t
    y = f(*read.values(), **arguments)
    y = list(y) if isinstance(y, (tuple, list)) else [y]
    if g is None:
        g = [draw(*y.shape) for y in y]
    sum((output * gradient).sum() for output, gradient in zip(y, g) if gradient is not None).backward()
    # What the outputs do not depend on has the gradient 0.
    grads = {
        name: torch.zeros_like(t) if t.grad is None else t.grad for name, t in read.items() if t.requires_grad
    }
    assert all(t.isfinite().all() for t in [*y, *grads.values()])
    return y, g, grads, {name: t for name, t in read.items() if values[name].role == "buffers"}


def case(f, values, g=None):
    """Runs one case. `g` are the gradients at the outputs, if they are not drawn; `None` is an output without one."""
    found = {}
    for name, value in values.items():
        found.setdefault(value.role, {})[name] = tensor(value.tensor)
    is_training = {"training": True} if "buffers" in found else {}
    y, g, grads, after = run(f, values, g, **is_training)
    found["y"] = [tensor(t) for t in y]
    found["g"] = [None if t is None else tensor(t) for t in g]
    found["grads"] = {name: tensor(t) for name, t in grads.items()}
    if after:
        found["after"] = {name: tensor(t) for name, t in after.items()}
        y, _, grads, _ = run(f, values, g, training=False)
        found["eval"] = {"y": [tensor(t) for t in y], "grads": {name: tensor(t) for name, t in grads.items()}}
    return found


def unary():
    torch.manual_seed(21)
    one = lambda f, x: case(f, {"x": inp(x)})
    d, p = (lambda: distinct(2, 3)), (lambda: positive(2, 3))
    return {
        "neg": one(lambda x: -x, d()),
        "exp": one(torch.exp, d()),
        "ln": one(torch.log, p()),
        "sqrt": one(torch.sqrt, p()),
        "square": one(torch.square, d()),
        "abs": one(lambda x: apart(x).abs(), d()),
        "power": one(lambda x: x**2.5, p()),
        "power_of_three": one(lambda x: x**3, d()),
        "power_of_one": one(lambda x: x**1, d()),
        "power_of_zero": one(lambda x: x**0 + x, d()),
        "power_of_a_half": one(lambda x: x**0.5, p()),
        "power_below_zero": one(lambda x: x**-1.5, p()),
        "tanh": one(torch.tanh, d()),
        "sigmoid": one(torch.sigmoid, d()),
        "relu": one(lambda x: apart(x).relu(), d()),
        "clip": one(lambda x: apart(x, -0.5, 0.6).clamp(-0.5, 0.6), d()),
        "add_number": one(lambda x: x + 2.5, d()),
        "number_add": one(lambda x: 2.5 + x, d()),
        "subtract_number": one(lambda x: x - 2.5, d()),
        "number_subtract": one(lambda x: 2.5 - x, d()),
        "multiply_number": one(lambda x: x * -1.5, d()),
        "number_multiply": one(lambda x: -1.5 * x, d()),
        "divide_number": one(lambda x: x / -1.7, d()),
        "number_divide": one(lambda x: 2.5 / x, d()),
        "numbers": one(lambda x: 1 - 2 / ((3 * x - 4) / 5 + 6), d()),
        "scalar_input": one(lambda x: x.exp() * x, distinct(3)),
        "erf": one(torch.erf, d() * 3),
        "sin": one(torch.sin, d() * 4),
        "cos": one(torch.cos, d() * 4),
        "recip": one(torch.reciprocal, p()),
        "floor": one(lambda x: x.floor() * x, d() * 5),
        "ceil": one(lambda x: x.ceil() * x, d() * 5),
        "round": one(lambda x: x.round() * x, d() * 5),
        "round_ties": one(lambda x: x.round() * x, torch.tensor([[-1.5, -0.5, 0.5], [1.5, 2.5, 3.5]])),
        "sign": one(lambda x: apart(x).sign() * x, d()),
        "steps_alone": one(lambda x: x.floor() + x.ceil() + x.round() + x.sign() + 0 * x, d() * 5),
        "logical_not": one(lambda x: x.logical_not().double() + x, torch.tensor([[0.0, 1.5, -0.0], [-2.5, 0.0, 0.5]])),
        "exact_gelu": one(F.gelu, d() * 3),
    }


# The shapes of the two values: of an input with the batch axis, of a parameter without it.
KINDS = {
    "same": (inp, (2, 3, 2), inp, (2, 3, 2)),
    "scalar": (inp, (2, 3, 2), par, ()),
    "one": (inp, (2, 3, 2), par, (1,)),
    "row": (inp, (2, 3, 2), par, (2,)),
    "column": (inp, (2, 3, 2), par, (3, 1)),
    "sample": (inp, (2, 3, 2), par, (3, 2)),
    "channel": (inp, (2, 3, 2, 2), par, (3, 1, 1)),
    "middle": (inp, (2, 3, 2, 2), par, (2, 1)),
    "ends": (inp, (2, 2, 3, 2), par, (2, 1, 2)),
    "higher": (inp, (2, 3, 2), par, (2, 1, 2)),
    "value_of_one_number": (inp, (2, 3, 2), inp, (2,)),
    "value_of_lower_rank": (inp, (2, 3, 2), inp, (2, 2)),
    "value_row": (inp, (2, 3, 2), inp, (2, 1, 2)),
    "value_column": (inp, (2, 3, 2), inp, (2, 3, 1)),
    "outer": (inp, (2, 3, 1), inp, (2, 1, 2)),
    "outer_with_parameter": (inp, (2, 3, 1), par, (2,)),
}


def aligned(values):
    """Returns shapes with as many axes as the longest one has; new ones are behind the batch axis, where there is one."""
    rank = max(v.tensor.dim() - (v.role == "inputs") for v in values)
    shape = lambda v: (v.tensor.shape[0], *[1] * (rank + 1 - v.tensor.dim()), *v.tensor.shape[1:])
    return [shape(v) if v.role == "inputs" else v.tensor.shape for v in values]


def broadcasting():
    torch.manual_seed(22)
    functions = {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": lambda a, b: a / b,
        "maximum": lambda a, b: (apart(a - b), torch.maximum(a, b))[1],
        "minimum": lambda a, b: (apart(a - b), torch.minimum(a, b))[1],
        "where_greater": lambda a, b: torch.where(apart(a - b) > 0, a * b, b),
        "subtract_swapped": lambda a, b: b - a,
        "divide_swapped": lambda a, b: b / a,
    }
    found = {}
    for kind, (role_a, shape_a, role_b, shape_b) in KINDS.items():
        # All functions have the same values and gradients at the output, which are stored once.
        values = {"a": role_a(away(draw(*shape_a))), "b": role_b(draw(*shape_b))}
        to_a, to_b = aligned(list(values.values()))
        found[kind] = {}
        g = [draw(*torch.broadcast_shapes(to_a, to_b))]
        for name, f in functions.items():
            of = case(lambda a, b: f(a.reshape(to_a), b.reshape(to_b)), values, g)
            found[kind][name] = {key: of.pop(key) for key in ["y", "grads"]}
        found[kind]["of"] = of
    return found


def choices():
    torch.manual_seed(23)
    x = lambda: inp(draw(2, 3, 2))
    condition = lambda *shape: torch.randint(-1, 2, shape).double()
    odd = lambda *shape: away(draw(*shape))
    return {
        "greater": case(lambda x, w: (apart(x - w) > 0).double() * x, {"x": x(), "w": par(odd(3, 1))}),
        "greater_alone": case(lambda x, w: (apart(x - w) > 0).double() + 0 * x, {"x": x(), "w": par(odd(2))}),
        "where_input": case(
            lambda c, a, b: torch.where(c != 0, a, b), {"c": inp(condition(2, 3, 2)), "a": x(), "b": x()}
        ),
        "where_constant": case(
            lambda c, a, b: torch.where(c != 0, a, b), {"c": const(condition(3, 1)), "a": x(), "b": par(draw(2))}
        ),
        "where_rows": case(
            lambda c, a, b: torch.where(c[:, None] != 0, a, b),
            {"c": inp(condition(2, 2)), "a": x(), "b": par(draw())},
        ),
        "where_parameters": case(
            lambda x, a, b: torch.where(apart(x) > 0, a, b),
            {"x": inp(distinct(2, 3, 2)), "a": par(draw(3, 1)), "b": par(draw(2))},
        ),
        "leaky_relu": case(lambda x: F.leaky_relu(apart(x), 0.1), {"x": inp(distinct(2, 3))}),
        "elu": case(lambda x: F.elu(apart(x)), {"x": inp(distinct(2, 3))}),
        "hinge": case(lambda x, y: apart(1 - x * y).clamp(min=0), {"x": x(), "y": x()}),
        # Some of them are equal.
        **{
            name: case(lambda x, w: f(x, w).double() * x, {"x": inp(condition(2, 3, 2)), "w": par(condition(3, 1))})
            for name, f in {
                "greater_equal": torch.ge,
                "less": torch.lt,
                "less_equal": torch.le,
                "equal": torch.eq,
                "not_equal": torch.ne,
            }.items()
        },
        "with_numbers": case(
            lambda x: apart(x, 0.6, -0.5).clamp(-0.5, 0.6) + (x > 0.6).double() * x + (x <= -0.5).double(), {"x": inp(distinct(2, 3, 2))}
        ),
        "where_numbers": case(
            lambda x: torch.where(apart(x) > 0, 2.0, x) + torch.where(x < 0, x, -1.0), {"x": inp(distinct(2, 3))}
        ),
    }


def products():
    torch.manual_seed(24)
    i, p = (lambda *shape: inp(draw(*shape))), (lambda *shape: par(draw(*shape)))
    mul = torch.matmul
    mul_t = lambda a, b: a @ b.mT
    return {
        "row": case(mul, {"x": i(3, 4), "w": p(4, 2)}),
        "row_transposed": case(mul_t, {"x": i(3, 4), "w": p(2, 4)}),
        "steps": case(mul, {"x": i(2, 3, 2), "w": p(2, 3)}),
        "steps_transposed": case(mul_t, {"x": i(2, 3, 2), "w": p(3, 2)}),
        "four_axes": case(mul, {"x": i(2, 2, 3, 2), "w": p(2, 3)}),
        "four_axes_transposed": case(mul_t, {"x": i(2, 2, 3, 2), "w": p(3, 2)}),
        "batched": case(mul, {"x": i(2, 3, 2), "y": i(2, 2, 4)}),
        "batched_transposed": case(mul_t, {"x": i(2, 3, 2), "y": i(2, 4, 2)}),
        "batched_four_axes": case(mul, {"x": i(2, 2, 3, 2), "y": i(2, 2, 2, 3)}),
        "batched_four_axes_transposed": case(mul_t, {"x": i(2, 2, 3, 2), "y": i(2, 2, 3, 2)}),
        "first_transposed": case(lambda x, y: x.mT @ y, {"x": i(2, 3, 2), "y": i(2, 3, 4)}),
        "first_transposed_shared": case(lambda x, w: x.mT @ w, {"x": i(2, 3, 2), "w": p(3, 2)}),
        "both_transposed": case(lambda x, y: x.mT @ y.mT, {"x": i(2, 3, 2), "y": i(2, 4, 3)}),
        "parameters": case(lambda x, a, b: x @ (a @ b), {"x": i(2, 3), "a": p(3, 2), "b": p(2, 4)}),
        "parameters_transposed": case(lambda x, a, b: x @ (a @ b.mT), {"x": i(2, 3), "a": p(3, 2), "b": p(4, 2)}),
        "product_transposed": case(lambda x, a, b: x @ (a @ b).mT, {"x": i(2, 3), "a": p(4, 2), "b": p(2, 3)}),
        "parameters_of_three_axes": case(
            lambda x, a, b: x * (a @ b), {"x": i(2, 2, 2, 2), "a": p(2, 2, 3), "b": p(2, 3, 2)}
        ),
        "parameters_of_three_axes_transposed": case(
            lambda x, a, b: x * (a @ b.mT), {"x": i(2, 2, 2, 2), "a": p(2, 2, 3), "b": p(2, 2, 3)}
        ),
        "parameters_of_three_and_two_axes": case(
            lambda x, a, b: x * (a @ b), {"x": i(2, 2, 2, 2), "a": p(2, 2, 3), "b": p(3, 2)}
        ),
        "vector": case(lambda x, a, b: x + a @ b, {"x": i(2, 3), "a": p(2), "b": p(2, 3)}),
        "by_itself": case(lambda x: x @ x.mT, {"x": i(2, 3, 2)}),
        "square_of_itself": case(lambda x: x @ x, {"x": i(2, 3, 3)}),
        "parameter_by_itself": case(lambda x, w: x @ (w @ w), {"x": i(2, 3), "w": p(3, 3)}),
        "transpose_read_twice": case(lambda x, w: x @ w.mT + w.mT.sum(0), {"x": i(2, 3), "w": p(4, 3)}),
        "twice": case(lambda x, w: x @ w @ w, {"x": i(2, 3), "w": p(3, 3)}),
        "one_column": case(mul, {"x": i(2, 3), "w": p(3, 1)}),
    }


def axes():
    torch.manual_seed(25)
    i, p = (lambda *shape: inp(draw(*shape))), (lambda *shape: par(draw(*shape)))
    one = lambda f, *shape: case(f, {"x": i(*shape)})
    # The square makes the gradient depend on where each number is.
    sq = torch.square
    return {
        "t": one(lambda x: sq(x.mT), 2, 3, 2),
        "t_of_four_axes": one(lambda x: sq(x.mT), 2, 2, 3, 2),
        "t_of_parameter": case(lambda x, w: x * w.mT, {"x": i(2, 3, 2), "w": p(2, 3)}),
        "permute": one(lambda x: sq(x.permute(0, 2, 1)), 2, 3, 2),
        "permute_four_axes": one(lambda x: sq(x.permute(0, 3, 1, 2)), 2, 3, 2, 2),
        "permute_negative": one(lambda x: sq(x.permute(0, -1, -3, 2)), 2, 3, 2, 2),
        "permute_parameter": case(lambda x, w: x * w.permute(2, 0, 1), {"x": i(2, 2, 3, 1), "w": p(3, 1, 2)}),
        "permute_all_of_parameter": case(lambda x, w: x * w.permute(-1, -2), {"x": i(2, 3, 2), "w": p(2, 3)}),
        "reshape": one(lambda x: sq(x.reshape(2, 3, 4)), 2, 2, 6),
        "reshape_open": one(lambda x: sq(x.reshape(2, -1, 2)), 2, 3, 4),
        "reshape_flat": one(lambda x: x.reshape(2, -1).softmax(-1), 2, 3, 2),
        "reshape_to_no_axes": one(lambda x: sq(x.reshape(3)), 3, 1),
        "reshape_parameter": case(lambda x, w: x * w.reshape(3, -1), {"x": i(2, 3, 2), "w": p(6)}),
        "slice": one(lambda x: sq(x[:, 1:3]), 2, 4, 2),
        "slice_from": one(lambda x: sq(x[:, 1:]), 2, 4, 2),
        "slice_to": one(lambda x: sq(x[:, :3]), 2, 4, 2),
        "slice_to_the_last": one(lambda x: sq(x[..., :-1]), 2, 2, 4),
        "slice_the_last_two": one(lambda x: sq(x[..., -2:]), 2, 2, 4),
        "slice_between_negative": one(lambda x: sq(x[:, -3:-1]), 2, 4, 2),
        "slice_inclusive": one(lambda x: sq(x[:, 1:3]), 2, 4, 2),
        "slice_inclusive_negative": one(lambda x: sq(x[:, -2:]), 2, 4, 2),
        "slice_inclusive_before_the_last": one(lambda x: sq(x[:, :-1]), 2, 4, 2),
        "slice_all": one(lambda x: sq(x[:, :]), 2, 3, 2),
        "slice_negative_axis": one(lambda x: sq(x[:, :, 1:]), 2, 2, 3, 1),
        "slice_parameter": case(lambda x, w: x * w[1:] + w[:-1], {"x": i(2, 3, 2), "w": p(4, 2)}),
        "slices_that_overlap": one(lambda x: x[:, 1:] * x[:, :-1], 2, 4, 2),
        "index": one(lambda x: sq(x[:, 1]), 2, 3, 2),
        "index_last": one(lambda x: sq(x[..., -1]), 2, 3, 2),
        "index_negative_axis": one(lambda x: sq(x[:, -2]), 2, 3, 2),
        "index_to_no_axes": one(lambda x: x[:, 0] * x[:, -1], 3, 2),
        "index_parameter": case(lambda x, w: x * w[-1] + w[0], {"x": i(2, 2), "w": p(3, 2)}),
        "split": one(lambda x: (lambda a, b: a * b.exp())(*x.chunk(2, -1)), 2, 2, 4),
        "split_in_three": one(lambda x: (lambda a, b, c: a * b - c)(*x.chunk(3, 1)), 2, 6, 1),
        "split_and_leave_out": one(lambda x: sq(x.chunk(3, -1)[1]), 2, 6),
        "split_parameter": case(
            lambda x, w: (lambda a, b: x * a + b)(*w.chunk(2, 0)), {"x": i(2, 2, 2), "w": p(4, 2)}
        ),
        "concat_of_columns": case(lambda x, y: sq(torch.cat([x, y], -1)), {"x": i(2, 2, 1), "y": i(2, 2, 3)}),
        "concat_of_steps": case(lambda x, y: sq(torch.cat([x, y], 1)), {"x": i(2, 1, 2), "y": i(2, 2, 2)}),
        "concat_of_channels": case(lambda x, y: sq(torch.cat([x, y], -3)), {"x": i(2, 1, 2, 2), "y": i(2, 2, 2, 2)}),
        "concat_of_three": one(lambda x: sq(torch.cat([x, x.exp(), x], -1)), 2, 2),
        "concat_of_one": one(lambda x: sq(torch.cat([x], -1)), 2, 2),
        "concat_of_parameters": case(
            lambda x, v, w: x * torch.cat([v, w, v], 0), {"x": i(2, 4, 2), "v": p(1, 2), "w": p(2, 2)}
        ),
        "pad": one(lambda x: sq(F.pad(x, (1, 2), value=0.5)), 2, 2, 3),
        "pad_steps": one(lambda x: sq(F.pad(x, (0, 0, 2, 0))), 2, 2, 3),
        "pad_parameter": case(lambda x, w: x * F.pad(w, (0, 0, 1, 1), value=-1.0), {"x": i(2, 4, 2), "w": p(2, 2)}),
        "tile": one(lambda x: sq(x.tile(1, 1, 3)) * torch.arange(6).double(), 2, 2, 2),
        "tile_steps": one(lambda x: sq(x.tile(1, 2, 1)) * torch.arange(4.0).double()[:, None], 2, 2, 2),
        "tile_parameter": case(lambda x, w: x * w.tile(2, 1), {"x": i(2, 4, 2), "w": p(2, 2)}),
        "expand": one(lambda x: x.expand(2, 3, 2) * torch.arange(3.0).double()[:, None], 2, 1, 2),
        "expand_to_more_axes": one(lambda x: x[:, None].expand(-1, 4, -1, 3) * torch.arange(3.0).double(), 2, 2, 1),
        "expand_parameter": case(lambda x, w: x * w.expand(3, 2, 2), {"x": i(2, 3, 2, 2), "w": p(2, 1)}),
        "flip": one(lambda x: x.flip(-1) * x, 2, 2, 3),
        "flip_steps": one(lambda x: x.flip(1) * x, 2, 3, 2),
        "flip_parameter": case(lambda x, w: x * w.flip(0), {"x": i(2, 3, 2), "w": p(3, 2)}),
        **{
            f"resize_{mode}_{name}": one(lambda x: sq(F.interpolate(x, size, mode=mode)), 2, 2, 3, 4)
            for mode in ["nearest", "bilinear"]
            for name, size in {"larger": (5, 6), "smaller": (2, 3), "mixed": (7, 1), "twice": (6, 8)}.items()
        },
        "resize_parameter": case(
            lambda x, w: x * F.interpolate(w[None], (3, 5), mode="bilinear")[0], {"x": i(2, 1, 3, 5), "w": p(1, 2, 3)}
        ),
    }


def gathering():
    torch.manual_seed(26)
    ids = lambda *shape: inp(torch.randint(0, 4, shape).double())
    repeated = lambda: inp(torch.tensor([[0.0, 2.0, 2.0], [2.0, 3.0, 0.0]]))
    p = lambda *shape: par(draw(*shape))
    rows = lambda table, ids: F.embedding(ids.long(), table)
    return {
        "repeated": case(lambda ids, w: torch.tanh(rows(w, ids)), {"ids": repeated(), "w": p(4, 2)}),
        "one_id": case(lambda ids, w: rows(w, ids), {"ids": ids(3), "w": p(4, 2)}),
        "images_of_ids": case(lambda ids, w: rows(w, ids).sum(2), {"ids": ids(2, 2, 2), "w": p(4, 2)}),
        "computed_table": case(
            lambda ids, a, b: rows(a @ b, ids), {"ids": repeated(), "a": p(4, 2), "b": p(2, 2)}
        ),
        "two_readers": case(
            lambda ids, other, w: rows(w, ids).mean(1) * rows(w, other),
            {"ids": repeated(), "other": ids(2), "w": p(4, 2)},
        ),
        "tied": case(lambda ids, w: torch.tanh(rows(w, ids)) @ w.mT, {"ids": repeated(), "w": p(4, 2)}),
        "with_positions": case(
            lambda ids, w, v: rows(w, ids) + rows(v, torch.arange(3)), {"ids": repeated(), "w": p(4, 2), "v": p(3, 2)}
        ),
        "of_constant_ids": case(
            lambda x, w, ids: x * rows(w, ids),
            {"x": inp(draw(2, 3, 2)), "w": p(4, 2), "ids": const(torch.tensor([3.0, 1.0, 3.0]))},
        ),
        "one_hot": case(
            lambda ids, w: F.one_hot(ids.long(), 4).double() @ w, {"ids": repeated(), "w": p(4, 2)}
        ),
        "one_hot_of_samples": case(lambda ids, w: F.one_hot(ids.long(), 5) * w, {"ids": ids(3), "w": p(5)}),
        "take_along": case(
            lambda x, ids: torch.take_along_dim(x, ids.long()[:, None], -1).squeeze(-1).square(),
            {"x": inp(draw(3, 4)), "ids": ids(3)},
        ),
        "take_along_of_steps": case(
            lambda x, ids: torch.take_along_dim(x, ids.long(), 1).square(),
            {"x": inp(draw(2, 4, 2)), "ids": ids(2, 3, 2)},
        ),
        "take_along_without_the_axis": case(
            lambda x, ids: torch.take_along_dim(x, ids.long()[:, None], 1).squeeze(1).square(),
            {"x": inp(draw(2, 4, 3)), "ids": ids(2, 3)},
        ),
        "zeros": case(lambda x: torch.cat([x.new_zeros(len(x), 2), x], 1).exp(), {"x": inp(draw(2, 3))}),
    }


def largest(x, axis, keepdim=False):
    if x.shape[axis] > 1:
        first, second = x.topk(2, axis).values.unbind(axis)
        apart(first - second)
    return x.amax(axis, keepdim)


def reductions():
    torch.manual_seed(27)
    functions = {"sum": torch.sum, "mean": torch.mean, "max": largest}
    found = {}
    for name, f in functions.items():
        for axis in [1, 2, -1]:
            where = {1: "first", 2: "middle", -1: "last"}[axis]
            found[f"{name}_{where}"] = case(lambda x: torch.square(f(x, axis)), {"x": inp(distinct(2, 2, 3, 1 if axis == 1 else 2))})
            found[f"{name}_{where}_kept"] = case(
                lambda x: f(x, axis, keepdim=True) * x, {"x": inp(distinct(2, 2, 3, 1 if axis == 1 else 2))}
            )
        found[f"{name}_negative"] = case(lambda x: torch.square(f(x, -3)), {"x": inp(distinct(2, 3, 2, 1))})
        found[f"{name}_to_no_axes"] = case(lambda x: torch.square(f(x, -1)), {"x": inp(distinct(2, 4))})
        found[f"{name}_of_parameter"] = case(
            lambda x, w: x * f(w, 0) + f(w, -1, keepdim=True), {"x": inp(draw(2, 3, 2)), "w": par(distinct(3, 2))}
        )
        found[f"{name}_of_vector"] = case(lambda x, w: x * f(w, 0), {"x": inp(draw(2, 3)), "w": par(distinct(5))})
    found["long"] = case(lambda x: x.exp().sum(-1) + x.mean(-1), {"x": inp(draw(2, 19))})
    found["all"] = case(lambda x: x.exp().sum((1, 2)), {"x": inp(draw(2, 3, 2))})
    x, w = (lambda *shape: inp(distinct(*shape))), (lambda *shape: par(distinct(*shape)))
    zeros = lambda: inp(torch.tensor([[0.5, 0.0, 2.0], [0.0, -1.5, 0.0], [1.5, 2.0, -0.5]]))
    smallest = lambda x, axis, keepdim=False: -largest(-x, axis, keepdim)
    at = lambda x, axis: x.argmax(axis).double()
    found |= {
        "min_first": case(lambda x: torch.square(smallest(x, 1)), {"x": x(2, 3, 2)}),
        "min_last_kept": case(lambda x: smallest(x, -1, True) * x, {"x": x(2, 3, 2)}),
        "min_of_parameter": case(lambda x, w: x * smallest(w, 0), {"x": inp(draw(2, 3, 2)), "w": w(3, 2)}),
        "prod_first": case(lambda x: x.prod(1), {"x": x(2, 3, 2)}),
        "prod_last_kept": case(lambda x: x.prod(-1, keepdim=True) * x, {"x": x(2, 3, 2)}),
        "prod_of_parameter": case(lambda x, w: x * w.prod(0), {"x": inp(draw(2, 3, 2)), "w": w(3, 2)}),
        "prod_of_zeros": case(lambda x: x.prod(-1), {"x": zeros()}),
        "argmax_first": case(lambda x: at(x, 1) * x.sum(1), {"x": x(2, 3, 2)}),
        "argmax_last": case(lambda x: at(x, -1) * x.sum(-1), {"x": x(2, 3, 2)}),
        "argmax_of_parameter": case(lambda x, w: x * at(w, 0) + w, {"x": inp(draw(2, 3, 2)), "w": w(3, 2)}),
        "cumsum_first": case(lambda x: torch.square(x.cumsum(1)), {"x": x(2, 3, 2)}),
        "cumsum_last": case(lambda x: torch.square(x.cumsum(-1)), {"x": x(2, 2, 4)}),
        "cumsum_middle": case(lambda x: torch.square(x.cumsum(-2)), {"x": x(2, 2, 3, 2)}),
        "cumsum_of_parameter": case(lambda x, w: x * w.cumsum(0), {"x": inp(draw(2, 3, 2)), "w": w(3, 2)}),
    }
    return found


def softmaxes():
    torch.manual_seed(28)
    one = lambda f, *shape: case(f, {"x": inp(draw(*shape))})
    soft = lambda x: x.softmax(-1)
    return {
        "two_axes": one(soft, 3, 4),
        "three_axes": one(soft, 2, 3, 3),
        "four_axes": one(soft, 2, 2, 2, 3),
        "inside": one(lambda x: torch.square(soft(torch.tanh(x))), 2, 4),
        "of_parameter": case(lambda x, w: x * soft(w), {"x": inp(draw(2, 2, 3)), "w": par(draw(2, 3))}),
        "of_vector": case(lambda x, w: x * soft(w), {"x": inp(draw(2, 3)), "w": par(draw(3))}),
        "log": one(lambda x: F.log_softmax(x, -1), 2, 4),
        "stable_log": one(lambda x: F.log_softmax(x, -1), 2, 4),
        "over_steps": one(lambda x: x.softmax(1), 2, 3, 2),
        "over_channels": one(lambda x: torch.square(x.softmax(1)), 2, 3, 2, 2),
        "over_the_middle": one(lambda x: x.softmax(-2), 2, 2, 3, 2),
        "over_the_first_of_parameter": case(
            lambda x, w: x * w.softmax(0), {"x": inp(draw(2, 2, 3)), "w": par(draw(2, 3))}
        ),
        "log_softmax": one(lambda x: F.log_softmax(x, -1), 2, 2, 3),
        "log_softmax_over_steps": one(lambda x: F.log_softmax(x, 1), 2, 3, 2),
        "log_softmax_of_parameter": case(
            lambda x, w: x * F.log_softmax(w, 0), {"x": inp(draw(2, 2, 3)), "w": par(draw(2, 3))}
        ),
    }


def networks():
    torch.manual_seed(29)
    i, p = (lambda *shape: inp(draw(*shape))), (lambda *shape: par(draw(*shape)))
    one = lambda f, *shape: case(f, {"x": i(*shape)})

    def attention(x, w, b, v, c):
        module = torch.nn.MultiheadAttention(4, 2, batch_first=True)
        values = {"in_proj_weight": w, "in_proj_bias": b, "out_proj.weight": v, "out_proj.bias": c}
        return functional_call(module, values, (x, x, x), {"need_weights": False})[0]

    def causal_attention(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def squeeze(x, w1, b1, w2, b2):
        pooled = F.adaptive_avg_pool2d(x, 1).flatten(1)
        factors = torch.sigmoid(apart(pooled @ w1 + b1).relu() @ w2 + b2)
        return x * factors[:, :, None, None]

    def lstm(x, h, c, wx, wh, bx, bh):
        module = torch.nn.LSTM(2, 2, batch_first=True)
        values = {"weight_ih_l0": wx, "weight_hh_l0": wh, "bias_ih_l0": bx, "bias_hh_l0": bh}
        y, (_, c) = functional_call(module, values, (x, (h[None], c[None])))
        return y, c[0]

    def gru(x, h, wx, wh, bx, bh):
        return functional_call(
            torch.nn.GRUCell(2, 2), {"weight_ih": wx, "weight_hh": wh, "bias_ih": bx, "bias_hh": bh}, (x, h)
        )

    def towers(a, b, v, w):
        return F.cosine_similarity(torch.tanh(a @ v), torch.tanh(b @ w), dim=-1)

    def branches(x, w):
        h = torch.tanh(x @ w)
        return h.softmax(-1) * h.exp() + h.sum(-1, keepdim=True) - h

    def heads(x, w, a, b):
        h = torch.tanh(x @ w)
        return (h @ a).softmax(-1), torch.sigmoid(h @ b)

    def stages(x, w):
        h = torch.tanh(x @ w)
        return h, h.exp() @ w, h

    def long_chain(x, w):
        y = x
        for step in range(12):
            y = torch.tanh(y * 0.9 + w) - x / (step + 2)
        return y

    def strips(x, w, b, u, v):
        y, u = x * w + b, u[:, None, None, None]
        apart(y - u)
        return torch.maximum(y, u) - v[:, None]

    return {
        "silu": one(F.silu, 2, 3),
        "gelu": one(lambda x: F.gelu(x, approximate="tanh"), 2, 3),
        "mish": one(F.mish, 2, 3),
        "glu": one(F.glu, 2, 4),
        "standardize": case(
            lambda x, m, s: (x - m) / s, {"x": i(2, 3), "m": const(draw(3)), "s": const(positive(3))}
        ),
        "constant_projection": case(lambda x, c: torch.tanh(x @ c), {"x": i(2, 3), "c": const(draw(3, 2))}),
        "layer_norm": case(lambda x, w, b: F.layer_norm(x, [4], w, b), {"x": i(2, 2, 4), "w": p(4), "b": p(4)}),
        "rms_norm": case(lambda x, w: F.rms_norm(x, [4], w, eps=1e-5), {"x": i(2, 4), "w": p(4)}),
        "group_norm": case(
            lambda x, w, b: F.group_norm(x, 2, w, b), {"x": i(2, 4, 3), "w": p(4), "b": p(4)}
        ),
        "weight_norm": case(
            lambda x, v, g: F.linear(x, torch._weight_norm(v, g, 0)), {"x": i(2, 3), "v": p(2, 3), "g": p(2, 1)}
        ),
        "tied_weights": case(
            lambda x, w, b: F.linear(torch.tanh(x @ w + b), w), {"x": i(2, 3), "w": p(3, 2), "b": p(2)}
        ),
        "low_rank": case(
            lambda x, w, a, b: x @ (w + 0.5 * a @ b), {"x": i(2, 3), "w": p(3, 4), "a": p(3, 1), "b": p(1, 4)}
        ),
        "attention": case(attention, {"x": i(2, 3, 4), "w": p(12, 4), "b": p(12), "v": p(4, 4), "c": p(4)}),
        "causal_attention": case(causal_attention, {"q": i(2, 3, 2), "k": i(2, 3, 2), "v": i(2, 3, 3)}),
        "squeeze_and_excitation": case(
            squeeze, {"x": i(2, 3, 2, 2), "w1": p(3, 2), "b1": p(2), "w2": p(2, 3), "b2": p(3)}
        ),
        "lstm": case(
            lstm,
            {"x": i(2, 3, 2), "h": i(2, 2), "c": i(2, 2), "wx": p(8, 2), "wh": p(8, 2), "bx": p(8), "bh": p(8)},
        ),
        "gru": case(gru, {"x": i(2, 2), "h": i(2, 2), "wx": p(6, 2), "wh": p(6, 2), "bx": p(6), "bh": p(6)}),
        "two_towers": case(towers, {"a": i(3, 4), "b": i(3, 2), "v": p(4, 2), "w": p(2, 2)}),
        "branches": case(branches, {"x": i(2, 3), "w": p(3, 3)}),
        "two_outputs": case(heads, {"x": i(2, 3), "w": p(3, 3), "a": p(3, 2), "b": p(3, 1)}),
        "only_the_second_output": case(heads, {"x": i(2, 3), "w": p(3, 3), "a": p(3, 2), "b": p(3, 1)}, [None, draw(2, 1)]),
        "outputs_on_the_way": case(stages, {"x": i(2, 3), "w": p(3, 3)}),
        "input_as_output": case(lambda x, w: (x, x * w), {"x": i(2, 3), "w": p(3)}),
        "residual": case(
            lambda x, w: x + torch.tanh(x + torch.tanh(x @ w) @ w.mT), {"x": i(2, 3), "w": p(3, 2)}
        ),
        "distances": case(lambda a, b: torch.cdist(a, b) ** 2, {"a": i(2, 2, 2), "b": i(2, 3, 2)}),
        "factorization": case(
            lambda ids, other, u, v: (F.embedding(ids.long(), u) * F.embedding(other.long(), v)).sum(-1),
            {
                "ids": inp(torch.tensor([1.0, 0.0, 1.0])),
                "other": inp(torch.tensor([2.0, 2.0, 2.0])),
                "u": p(3, 2),
                "v": p(3, 2),
            },
        ),
        "long_chain": case(long_chain, {"x": i(2, 3), "w": p(3)}),
        # 540 numbers: more than a strip.
        "strips": case(
            strips,
            {
                "x": inp(draw(2, 3, 9, 10)),
                "w": par(draw(3, 1, 1)),
                "b": par(draw(10)),
                "u": inp(away(draw(2))),
                "v": inp(draw(2, 9, 1)),
            },
        ),
    }


def layers():
    """Layers within graphs. Matrices are [inputs, outputs], as in this crate."""
    torch.manual_seed(30)
    i, p = (lambda *shape: inp(draw(*shape))), (lambda *shape: par(draw(*shape)))
    w = lambda *shape: layer(draw(*shape))

    def dense_layer_norm(x, v, w0, b0, w1, b1, w2, b2):
        h = torch.tanh(F.layer_norm(F.linear(x, w0.mT, b0), [3], w1, b1)) + x @ v
        return F.linear(h, w2.mT, b2)

    def conv_batch_norm(x, s, w0, b0, w1, b1, mean, variance, w2, b2, training):
        h = F.conv2d(x, w0, b0)
        h = apart(F.batch_norm(h, mean, variance, w1, b1, training)).relu() * s + h.mean((2, 3), keepdim=True)
        return F.linear(h.flatten(1), w2.mT, b2)

    def gated_batch_norm(x, w0, b0, w1, b1, mean, variance, training):
        h = F.batch_norm(F.linear(x, w0.mT, b0), mean, variance, w1, b1, training)
        return h * torch.sigmoid(h)

    def siamese(a, b, w0, b0):
        return torch.square(F.linear(a, w0.mT, b0) - torch.tanh(F.linear(b, w0.mT, b0))).sum(-1)

    return {
        "dense_layer_norm": case(
            dense_layer_norm,
            {
                "x": i(2, 4), "v": p(4, 3), "0.weight": w(4, 3), "0.bias": w(3), "1.weight": w(3), "1.bias": w(3),
                "2.weight": w(3, 2), "2.bias": w(2),
            },
        ),
        "conv_batch_norm": case(
            conv_batch_norm,
            {
                "x": i(3, 1, 4, 4), "s": p(2, 1, 1), "0.weight": w(2, 1, 3, 3), "0.bias": w(2), "1.weight": w(2),
                "1.bias": w(2), "1.running_mean": buffer(draw(2)), "1.running_var": buffer(positive(2)),
                "2.weight": w(8, 2), "2.bias": w(2),
            },
        ),
        "gated_batch_norm": case(
            gated_batch_norm,
            {
                "x": i(4, 3), "encoder.weight": w(3, 2), "encoder.bias": w(2), "1.weight": w(2), "1.bias": w(2),
                "1.running_mean": buffer(draw(2)), "1.running_var": buffer(positive(2)),
            },
        ),
        "siamese": case(siamese, {"a": i(3, 2), "b": i(3, 2), "0.weight": w(2, 3), "0.bias": w(3)}),
        "embedding": case(
            lambda ids, table: torch.tanh(F.embedding(ids.long(), table)).sum(1),
            {"ids": inp(torch.tensor([[0.0, 2.0], [2.0, 1.0]])), "0.weight": w(3, 2)},
        ),
    }


if __name__ == "__main__":
    reference = {
        "torch": torch.__version__,
        "unary": unary(),
        "broadcasting": broadcasting(),
        "choices": choices(),
        "products": products(),
        "axes": axes(),
        "gathering": gathering(),
        "reductions": reductions(),
        "softmaxes": softmaxes(),
        "networks": networks(),
        "layers": layers(),
    }
    json.dump(reference, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()
