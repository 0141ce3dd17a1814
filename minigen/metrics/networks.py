"""The networks behind the features: small convolutional classifiers, one for each data set."""

from dataclasses import dataclass
from typing import Any

from minigen import nn
from minigen.nn.init import Init, he_uniform

FEATURES = 64  # numbers before the last layer


@dataclass(frozen=True)
class Plan:
    """What a classifier reads and what it answers.

    side: of its grey images. heads: {question: number of answers}, each with its own softmax; the first is the class.
    """

    side: int
    heads: dict[str, int]


PLANS = {
    "digits": Plan(8, {"label": 10}),
    "glyphs": Plan(28, {"label": 28, "family": 4, "bold": 2, "slanted": 2}),
    "mnist": Plan(28, {"label": 10}),
}


def body(plan: Plan, init: Init = he_uniform) -> nn.Sequential:
    """The part that makes the features.   images (N, side, side, 1) -> (N, 64), each at least 0"""

    def conv(inputs: int, outputs: int, kernel: int, stride: int) -> list[Any]:
        return [nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, init=init), nn.ReLU()]

    if plan.side == 8:
        convs = [*conv(1, 32, 3, 1), *conv(32, 32, 3, 2)]  # (N, 8, 8, 32), (N, 4, 4, 32)
    else:
        convs = [*conv(1, 16, 5, 2), *conv(16, 32, 3, 2), *conv(32, 32, 3, 2)]  # 14 x 14, 7 x 7, 4 x 4
    return nn.Sequential(*convs, nn.Flatten(), nn.Dense(4 * 4 * 32, FEATURES, init=init), nn.ReLU())


def network(plan: Plan, init: Init = he_uniform) -> nn.Sequential:
    """The body, and one dense layer that scores all answers of all heads.   -> (N, answers), logits"""
    return nn.Sequential(body(plan, init), nn.Dense(FEATURES, sum(plan.heads.values()), init=init))


def cut(plan: Plan, logits: Any) -> dict[str, Any]:
    """The logits (N, answers) of each head.   -> {question: (N, its answers)}"""
    parts, start = {}, 0
    for question, answers in plan.heads.items():
        parts[question] = logits[:, start : start + answers]
        start += answers
    return parts
