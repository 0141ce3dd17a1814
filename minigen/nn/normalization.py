"""Normalising layers, each with a learned scale gamma and shift beta for every feature (the last axis)."""

from typing import Any

from minigen import ops
from minigen.backend import xp
from minigen.graph import no_grad
from minigen.nn import checks
from minigen.nn.module import Module, ones, zeros
from minigen.ops.normalization import check_features
from minigen.parts import total


class BatchNorm(Module):
    """Each feature normalised over the batch and all pixels. x (..., features) -> the same shape.

    In training it uses the batch's mean and biased variance, and moves the running ones towards them (the
    variance's unbiased form, as PyTorch): running = (1 - momentum) running + momentum batch. In eval mode it
    uses the running ones. Ioffe and Szegedy 2015.
    Raises ValueError in training for a batch of one number a feature: it has no variance.
    """

    running_mean: Any
    running_var: Any

    def __init__(self, features: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        checks.positive("BatchNorm", features=features)
        checks.small("BatchNorm", momentum=momentum, eps=eps)
        self.gamma, self.beta = ones(features), zeros(features)
        self.momentum, self.eps = momentum, eps
        self.buffer("running_mean", xp.zeros(features, dtype="float32"))
        self.buffer("running_var", xp.ones(features, dtype="float32"))

    def forward(self, x: Any) -> Any:
        if not self.training:
            check_features("BatchNorm", x, self.gamma, self.beta)
            scale = self.gamma * (self.running_var + self.eps) ** -0.5
            return x * scale + (self.beta - self.running_mean * scale)
        y, mean, var = ops.batch_norm(x, self.gamma, self.beta, eps=self.eps)
        n = total(y.size // self.gamma.size)
        if n == 1:
            raise ValueError(
                f"BatchNorm: x {y.shape} holds one number for each feature, wants more than one in training"
            )
        with no_grad():
            self.running_mean += self.momentum * (mean.data - self.running_mean)
            self.running_var += self.momentum * (var.data * (n / (n - 1)) - self.running_var)
        return y

    def describe(self) -> str:
        return f"{self.gamma.size}"


class LayerNorm(Module):
    """Each sample (each place of it) normalised over its features. x (..., features). Ba et al. 2016."""

    def __init__(self, features: int, *, eps: float = 1e-5) -> None:
        checks.positive("LayerNorm", features=features)
        checks.small("LayerNorm", eps=eps)
        self.gamma, self.beta, self.eps = ones(features), zeros(features), eps

    def forward(self, x: Any) -> Any:
        return ops.layer_norm(x, self.gamma, self.beta, eps=self.eps)

    def describe(self) -> str:
        return f"{self.gamma.size}"


class GroupNorm(Module):
    """Each sample normalised over groups of channels and all pixels. x (N, ..., channels). Wu and He 2018."""

    def __init__(self, groups: int, channels: int, *, eps: float = 1e-5) -> None:
        checks.positive("GroupNorm", groups=groups, channels=channels)
        checks.small(type(self).__name__, eps=eps)
        if channels % groups:
            raise ValueError(f"GroupNorm: {channels} channels cannot be shared equally among {groups} groups")
        self.gamma, self.beta, self.groups, self.eps = ones(channels), zeros(channels), groups, eps

    def forward(self, x: Any) -> Any:
        return ops.group_norm(x, self.gamma, self.beta, groups=self.groups, eps=self.eps)

    def describe(self) -> str:
        return f"{self.groups} groups of {self.gamma.size // self.groups}"


class InstanceNorm(GroupNorm):
    """Each channel of each sample normalised over all pixels. x (N, ..., channels). Ulyanov et al. 2016."""

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        checks.positive("InstanceNorm", channels=channels)
        super().__init__(channels, channels, eps=eps)

    def describe(self) -> str:
        return f"{self.gamma.size}"
