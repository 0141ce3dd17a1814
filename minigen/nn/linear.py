"""Dense and Embedding."""

from typing import Any

from minigen import ops, random
from minigen.nn import checks
from minigen.nn.init import Init, bias_like, fan_in_uniform
from minigen.nn.module import Module, parameter


class Dense(Module):
    """y = x @ w + b, on the last axis. x (..., inputs) -> y (..., outputs). PyTorch calls it Linear.

    w (inputs, outputs), b (outputs,); bias=False leaves b out. init: how w starts, see minigen.nn.init.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True, init: Init = fan_in_uniform) -> None:
        checks.positive("Dense", inputs=inputs, outputs=outputs)
        self.w = parameter(init((inputs, outputs), inputs, outputs))
        self.b = parameter(bias_like(init, outputs, inputs, outputs)) if bias else None

    def forward(self, x: Any) -> Any:
        if getattr(x, "ndim", 2) == 2:  # a list, too, is the op's to turn into an array
            return ops.dense(x, self.w, self.b)
        if x.ndim < 1 or x.shape[-1] != self.w.shape[0]:
            raise ValueError(f"Dense: x has shape {x.shape}, wants {self.w.shape[0]} features on its last axis")
        y = ops.dense(x.reshape(-1, x.shape[-1]), self.w, self.b)
        return y.reshape(*x.shape[:-1], y.shape[-1])

    def describe(self) -> str:
        return f"{self.w.shape[0]} -> {self.w.shape[1]}{'' if self.b is not None else ', bias=False'}"


class Embedding(Module):
    """y = w[ids]: a learned vector for each of `entries` ids, standard normal at first.

    ids (...) integers from 0 to entries - 1 -> y (..., features).
    """

    def __init__(self, entries: int, features: int) -> None:
        checks.positive("Embedding", entries=entries, features=features)
        self.w = parameter(random.normal((entries, features)))

    def forward(self, ids: Any) -> Any:
        return ops.embedding(ids, self.w)

    def describe(self) -> str:
        return f"{self.w.shape[0]} ids -> {self.w.shape[1]}"
