"""Recurrent layers over whole sequences, batch first: x (N, T, inputs)."""

from typing import Any

from minigen import ops
from minigen.backend import xp
from minigen.nn import checks
from minigen.nn.init import Init, fan_in_uniform
from minigen.nn.module import Module, parameter


class _Recurrent(Module):
    """What RNN, GRU and LSTM share: `layers` cells, one on the other, and their states (layers, N, hidden).

    By default all weights start uniform within +-1 / sqrt(hidden), as PyTorch's; the biases start at 0, which PyTorch
    draws too.
    """

    gates = 1

    def __init__(self, inputs: int, hidden: int, *, layers: int = 1, init: Init = fan_in_uniform) -> None:
        checks.positive(type(self).__name__, inputs=inputs, hidden=hidden, layers=layers)
        self.inputs, self.hidden = inputs, hidden
        sizes = [inputs] + [hidden] * (layers - 1)
        self.cells = [self._cell(size, init) for size in sizes]

    def _cell(self, inputs: int, init: Init) -> "Cell":
        return Cell(inputs, self.hidden, self.gates, init)

    def _first(self, x: Any, state: Any, what: str) -> Any:
        """The initial states (layers, N, hidden): those given, or zeros."""
        name = type(self).__name__
        if getattr(x, "ndim", 0) != 3 or x.shape[2] != self.inputs:
            got = f"has shape {x.shape}" if hasattr(x, "shape") else f"is a {type(x).__name__}"
            raise ValueError(f"{name}: x {got}, wants (N, T, {self.inputs})")
        shape = len(self.cells), x.shape[0], self.hidden
        if state is None:
            return xp.zeros(shape, dtype=x.dtype)
        got = getattr(state, "shape", f"a {type(state).__name__}")
        if got != shape:
            raise ValueError(f"{name}: the initial {what} is {got}, wants (layers, N, hidden) = {shape}")
        return state

    def describe(self) -> str:
        return f"{self.inputs} -> {self.hidden}{f', layers={len(self.cells)}' if len(self.cells) > 1 else ''}"


class Cell(Module):
    """The weights of one recurrent layer: w_x (inputs, gates H), w_h (H, gates H), b (gates H,)."""

    b_n: Any  # a GRU's alone

    def __init__(self, inputs: int, hidden: int, gates: int, init: Init) -> None:
        # PyTorch draws the input weights, too, by the hidden size.
        fan = hidden if init is fan_in_uniform else inputs
        self.w_x = parameter(init((inputs, gates * hidden), fan, hidden))
        self.w_h = parameter(xp.concatenate([init((hidden, hidden), hidden, hidden) for _ in range(gates)], axis=1))
        self.b = parameter(xp.zeros(gates * hidden, dtype="float32"))

    def describe(self) -> str:
        return f"{self.w_x.shape[0]} -> {self.w_h.shape[0]}"


class RNN(_Recurrent):
    """h_t = tanh(x_t w_x + h_{t-1} w_h + b). Elman 1990.

    hs, h = rnn(x, h0): x (N, T, inputs), h0 (layers, N, hidden), zeros if left out -> hs (N, T, hidden), the
    last layer's states at all steps, and h (layers, N, hidden), all layers' final states.
    """

    def forward(self, x: Any, h0: Any = None) -> Any:
        h0, final = self._first(x, h0, "state"), []
        for layer, cell in enumerate(self.cells):
            x = ops.rnn(x, h0[layer], cell.w_x, cell.w_h, cell.b)
            final.append(x[:, -1])
        return x, ops.stack(final)


class GRU(_Recurrent):
    """Gated recurrent unit, gates in the order r, z, n. Cho et al. 2014.

    hs, h = gru(x, h0): shapes as in RNN. Each cell has a bias b_n inside the reset gate, as in PyTorch.
    """

    gates = 3

    def _cell(self, inputs: int, init: Init) -> Cell:
        cell = super()._cell(inputs, init)
        cell.b_n = parameter(xp.zeros(self.hidden, dtype="float32"))
        return cell

    def forward(self, x: Any, h0: Any = None) -> Any:
        h0, final = self._first(x, h0, "state"), []
        for layer, cell in enumerate(self.cells):
            x = ops.gru(x, h0[layer], cell.w_x, cell.w_h, cell.b, cell.b_n)
            final.append(x[:, -1])
        return x, ops.stack(final)


class LSTM(_Recurrent):
    """Long short-term memory, gates in the order i, f, g, o. Hochreiter, Schmidhuber 1997; Gers et al. 2000.

    hs, (h, c) = lstm(x, (h0, c0)): x (N, T, inputs), h0 and c0 (layers, N, hidden), zeros if left out -> hs
    (N, T, hidden), the last layer's h at all steps, and all layers' final h and c (layers, N, hidden).
    """

    gates = 4

    def forward(self, x: Any, state: Any = None) -> Any:
        if state is not None and not (isinstance(state, (tuple, list)) and len(state) == 2):
            raise TypeError(f"LSTM: the initial state is a {type(state).__name__}, wants a pair (h0, c0)")
        h0, c0 = state or (None, None)
        h0, c0 = self._first(x, h0, "h"), self._first(x, c0, "c")
        hs, cs = [], []
        for layer, cell in enumerate(self.cells):
            x, c = ops.lstm(x, h0[layer], c0[layer], cell.w_x, cell.w_h, cell.b)
            hs.append(x[:, -1])
            cs.append(c)
        return x, (ops.stack(hs), ops.stack(cs))
