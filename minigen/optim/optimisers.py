"""SGD, RMSProp, Adam and AdamW. In the formulas p is a parameter, g its gradient, t the number of the step.

Each class writes its formula once, in place, on flat arrays: u and w are scratch, a step allocates nothing.
"""

import math
from collections.abc import Iterable
from typing import Any

from minigen.backend import asarray, xp
from minigen.optim.arguments import check_state, number, trainable
from minigen.optim.flat import Flat
from minigen.tensor import Tensor


class Optimiser:
    """What all optimisers share: the parameters and the loop over them.

    params: any iterable of leaf Tensors that require a gradient, of one dtype or several; kept as a list.
    Their numbers move into one flat array, of which each parameter's `.data` is a view from then on: an array
    taken from `.data` before does not follow. `lr` can be set at any time.

    Raises TypeError or ValueError for a parameter that cannot be trained and for a setting out of its range.
    """

    settings: tuple[str, ...] = ()  # the attributes that state_dict() saves beside `lr`
    buffers: tuple[str, ...] = ()  # arrays kept from step to step, as large as the parameters, 0 at first

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        self.params = trainable(type(self).__name__, params)
        self.lr = lr
        of_dtype: dict[Any, list[tuple[int, Tensor]]] = {}
        for i, p in enumerate(self.params):
            of_dtype.setdefault(p.dtype, []).append((i, p))
        self.flats = [Flat(numbered, self.buffers) for numbered in of_dtype.values()]

    @property
    def lr(self) -> float:
        """The learning rate."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self._lr = self._number("lr", lr)

    def zero_grad(self) -> None:
        """Forget the gradients: every `.grad` is None until the next backward()."""
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient. One whose `.grad` is None is left alone, undecayed.

        Raises ValueError or TypeError, with nothing changed, for a `.grad` that does not fit its parameter.
        """
        ready = [(flat, flat.ready(f"{type(self).__name__}.step")) for flat in self.flats]
        for flat, slots in ready:
            for start, stop, g, t in flat.runs(slots):
                for i in range(start, stop, flat.chunk):
                    j = min(i + flat.chunk, stop)
                    self.update_piece(flat, i, j, g[i - start : j - start], t)

    def settle(self) -> None:
        """Have every parameter at its place in the flat arrays, also where its `.data` was set since."""
        for flat in self.flats:
            for slot in flat.slots:
                flat.settle(type(self).__name__, slot)

    def update_piece(self, flat: Flat, i: int, j: int, g: Any, t: int) -> None:
        """Update flat.data[i:j], at most flat.chunk numbers, with their gradient g (j - i,) in its step t."""
        u, w = flat.scratch
        kept = [buffer[i:j] for buffer in flat.buffers.values()]
        self.update(flat.data[i:j], g, t, kept, u[: j - i], w[: j - i])

    def update(self, p: Any, g: Any, t: int, kept: list[Any], u: Any, w: Any) -> None:
        """The formula: change p and the buffers `kept` in place. g is only read; all are arrays (n,)."""
        raise NotImplementedError

    def numbers(self) -> dict[str, Any]:
        """The learning rate and the other settings, by name."""
        return {name: getattr(self, name) for name in ("lr", *self.settings)}

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs: the settings as numbers, the rest as arrays (copies).

        "<buffer>.<i>" has the shape of parameter i; "steps" holds how often each parameter was updated.
        """
        state: dict[str, Any] = self.numbers()
        steps = [0] * len(self.params)
        for flat in self.flats:
            for slot in flat.slots:
                steps[slot.index] = slot.steps
                for name, buffer in flat.buffers.items():
                    state[f"{name}.{slot.index}"] = flat.of(slot, buffer).copy()
        state["steps"] = xp.asarray(steps, dtype="int64")
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on, settings included, where an optimiser of this kind on such parameters saved `state`.

        Raises ValueError, with nothing changed, where names or shapes do not fit.
        """
        check_state(f"{type(self).__name__}.load_state_dict", self.state_dict(), state)
        for name in ("lr", *self.settings):
            setattr(self, name, type(getattr(self, name))(state[name]))
        steps = state["steps"].tolist()
        for flat in self.flats:
            for slot in flat.slots:
                slot.steps = steps[slot.index]
                for name, buffer in flat.buffers.items():
                    flat.of(slot, buffer)[...] = asarray(state[f"{name}.{slot.index}"], buffer.dtype)

    def _number(self, name: str, value: float, below: float = math.inf) -> float:
        return number(type(self).__name__, name, value, below=below)


class SGD(Optimiser):
    """v = momentum v + g,   p = p - lr v.   Nesterov: p = p - lr (g + momentum v)

    weight_decay adds weight_decay p to g. As in PyTorch v is without lr, so that a new lr acts at once.
    Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
    """

    settings = "momentum", "nesterov", "weight_decay"
    buffers = ("velocity",)

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float = 1e-3,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.momentum = self._number("momentum", momentum)
        self.nesterov = nesterov
        self.weight_decay = self._number("weight_decay", weight_decay)
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov=True wants a momentum above 0 to look ahead along, got 0")
        super().__init__(params, lr)

    def update(self, p: Any, g: Any, t: int, kept: list[Any], u: Any, w: Any) -> None:
        (v,) = kept
        if self.weight_decay:
            g = _decayed(p, g, self.weight_decay, out=w)
        if self.momentum:
            v *= self.momentum
            v += g
        if self.nesterov:
            xp.multiply(v, self.momentum, out=u)
            u += g
            u *= self.lr
        else:
            xp.multiply(v if self.momentum else g, self.lr, out=u)
        p -= u


class RMSProp(Optimiser):
    """s = alpha s + (1 - alpha) g^2,   p = p - lr g / (sqrt(s) + eps)

    With momentum: v = momentum v + g / (sqrt(s) + eps),   p = p - lr v.
    weight_decay adds weight_decay p to g. Tieleman and Hinton 2012, "Neural networks for machine learning",
    lecture 6.5.
    """

    settings = "alpha", "eps", "momentum", "weight_decay"
    buffers = "square", "velocity"

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        self.alpha = self._number("alpha", alpha, below=1)
        self.eps = self._number("eps", eps)
        self.momentum = self._number("momentum", momentum)
        self.weight_decay = self._number("weight_decay", weight_decay)
        super().__init__(params, lr)

    def update(self, p: Any, g: Any, t: int, kept: list[Any], u: Any, w: Any) -> None:
        s, v = kept
        if self.weight_decay:
            g = _decayed(p, g, self.weight_decay, out=w)
        s *= self.alpha
        xp.multiply(g, g, out=u)
        u *= 1 - self.alpha
        s += u
        xp.sqrt(s, out=u)
        u += self.eps
        xp.divide(g, u, out=u)
        if self.momentum:
            v *= self.momentum
            v += u
            xp.multiply(v, self.lr, out=u)
        else:
            u *= self.lr
        p -= u


class Adam(Optimiser):
    """m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,   p = p - lr m' / (sqrt(v') + eps)

    with m' = m / (1 - b1^t) and v' = v / (1 - b2^t), since both start from zero. betas: (b1, b2).
    weight_decay adds weight_decay p to g. Kingma and Ba 2015, "Adam: a method for stochastic optimization".

    t counts each parameter's own updates. The buffers hold m / (1 - b1) and v / (1 - b2), which saves two
    passes over them (a tenth of the time): the factors are mere numbers, and lr and eps take them along.
    """

    settings = "beta1", "beta2", "eps", "weight_decay"
    buffers = "mean", "square"

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        beta1, beta2 = betas
        self.beta1 = self._number("the first of betas", beta1, below=1)
        self.beta2 = self._number("the second of betas", beta2, below=1)
        self.eps = self._number("eps", eps)
        self.weight_decay = self._number("weight_decay", weight_decay)
        super().__init__(params, lr)

    def update(self, p: Any, g: Any, t: int, kept: list[Any], u: Any, w: Any) -> None:
        if self.weight_decay:
            g = _decayed(p, g, self.weight_decay, out=w)
        self._adapt(p, g, t, kept, u)

    def _adapt(self, p: Any, g: Any, t: int, kept: list[Any], u: Any) -> None:
        m, v = kept
        to_mean = (1 - self.beta1) / (1 - self.beta1**t)  # m' = to_mean m
        to_root = math.sqrt((1 - self.beta2) / (1 - self.beta2**t))  # sqrt(v') = to_root sqrt(v)
        m *= self.beta1
        m += g
        v *= self.beta2
        xp.multiply(g, g, out=u)
        v += u
        xp.sqrt(v, out=u)
        u += self.eps / to_root
        xp.divide(m, u, out=u)
        u *= self.lr * to_mean / to_root
        p -= u


class AdamW(Adam):
    """Adam with decoupled decay: p = p - lr weight_decay p before each step, g untouched.

    Loshchilov and Hutter 2019, "Decoupled weight decay regularization".
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, p: Any, g: Any, t: int, kept: list[Any], u: Any, w: Any) -> None:
        p *= 1 - self.lr * self.weight_decay
        self._adapt(p, g, t, kept, u)


def _decayed(p: Any, g: Any, weight_decay: float, out: Any) -> Any:
    """g + weight_decay p, in `out`: the gradient of the loss with weight_decay/2 |p|^2 added (L2)."""
    xp.multiply(p, weight_decay, out=out)
    out += g
    return out
