"""Convolutions, pooling and up-sampling. Images are N, H, W, C."""

from typing import Any

from minigen import ops
from minigen.nn import checks
from minigen.nn.init import Init, bias_like, fan_in_uniform
from minigen.nn.module import Module, parameter
from minigen.ops.convolution import pair, surplus
from minigen.ops.pooling import window

Size = int | tuple[int, int]


class Conv2d(Module):
    """Slide `outputs` kernels over the image. x (N, H, W, inputs) -> y (N, OH, OW, outputs).

    kernel, stride, padding: an int, or (for rows, for columns); OH = (H + 2 padding - kernel) // stride + 1.
    w (KH, KW, inputs, outputs), b (outputs,). init: how w starts, see minigen.nn.init.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: Size, *, stride: Size = 1, padding: Size = 0,
        bias: bool = True, init: Init = fan_in_uniform,
    ) -> None:  # fmt: skip
        checks.positive("Conv2d", inputs=inputs, outputs=outputs)
        KH, KW = pair("Conv2d: kernel", kernel, 1)
        self.stride, self.padding = pair("Conv2d: stride", stride, 1), pair("Conv2d: padding", padding, 0)
        fan_in, fan_out = KH * KW * inputs, KH * KW * outputs
        self.w = parameter(init((KH, KW, inputs, outputs), fan_in, fan_out))
        self.b = parameter(bias_like(init, outputs, fan_in, fan_out)) if bias else None

    def forward(self, x: Any) -> Any:
        return ops.conv2d(x, self.w, self.b, stride=self.stride, padding=self.padding)

    def describe(self) -> str:
        KH, KW, C, F = self.w.shape
        return f"{C} -> {F}, {KH}x{KW}{_unusual(self, stride=(1, 1), padding=(0, 0))}"


class ConvTranspose2d(Module):
    """The transpose of Conv2d, which enlarges. x (N, H, W, inputs) -> y (N, OH, OW, outputs).

    OH = (H - 1) stride - 2 padding + kernel + output_padding. w (KH, KW, outputs, inputs), b (outputs,).
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: Size, *, stride: Size = 1, padding: Size = 0,
        output_padding: Size = 0, bias: bool = True, init: Init = fan_in_uniform,
    ) -> None:  # fmt: skip
        checks.positive("ConvTranspose2d", inputs=inputs, outputs=outputs)
        KH, KW = pair("ConvTranspose2d: kernel", kernel, 1)
        self.stride = pair("ConvTranspose2d: stride", stride, 1)
        self.padding = pair("ConvTranspose2d: padding", padding, 0)
        self.output_padding = surplus("ConvTranspose2d", output_padding, stride)
        fan_in, fan_out = KH * KW * outputs, KH * KW * inputs  # PyTorch's count: those of the forward conv
        self.w = parameter(init((KH, KW, outputs, inputs), fan_in, fan_out))
        self.b = parameter(bias_like(init, outputs, fan_in, fan_out)) if bias else None

    def forward(self, x: Any) -> Any:
        return ops.conv_transpose2d(
            x, self.w, self.b, stride=self.stride, padding=self.padding, output_padding=self.output_padding
        )

    def describe(self) -> str:
        KH, KW, C, F = self.w.shape
        return f"{F} -> {C}, {KH}x{KW}{_unusual(self, stride=(1, 1), padding=(0, 0), output_padding=(0, 0))}"


class _Pool(Module):
    pool: Any

    def __init__(self, kernel: Size, *, stride: Size | None = None, padding: Size = 0) -> None:
        self.kernel, self.stride, self.padding = window(type(self).__name__, kernel, stride, padding)

    def forward(self, x: Any) -> Any:
        return type(self).pool(x, kernel=self.kernel, stride=self.stride, padding=self.padding)

    def describe(self) -> str:
        KH, KW = self.kernel
        return f"{KH}x{KW}{_unusual(self, stride=self.kernel, padding=(0, 0))}"


class MaxPool2d(_Pool):
    """The largest entry of each window, channel by channel. x (N, H, W, C) -> y (N, OH, OW, C).

    stride: the kernel's size, if left out.
    """

    pool = staticmethod(ops.max_pool2d)


class AvgPool2d(_Pool):
    """The mean of each window, padding counted as 0. x (N, H, W, C) -> y (N, OH, OW, C).

    stride: the kernel's size, if left out.
    """

    pool = staticmethod(ops.avg_pool2d)


class MinPool2d(_Pool):
    """The smallest entry of each window. x (N, H, W, C) -> y (N, OH, OW, C).

    stride: the kernel's size, if left out.
    """

    pool = staticmethod(ops.min_pool2d)


class Upsample(Module):
    """Every pixel becomes a block of scale x scale. x (N, H, W, C) -> y (N, scale H, scale W, C)."""

    def __init__(self, scale: Size = 2) -> None:
        self.scale = pair("Upsample: scale", scale, 1)

    def forward(self, x: Any) -> Any:
        return ops.upsample2d(x, scale=self.scale)

    def describe(self) -> str:
        rows, columns = self.scale
        return f"{rows}x{columns}"


def _unusual(layer: Module, **usual: tuple[int, int]) -> str:
    """For a repr: those settings of a layer that differ from the usual ones."""
    found = [(name, getattr(layer, name)) for name in usual if getattr(layer, name) != usual[name]]
    return "".join(f", {name}={h if h == w else (h, w)}" for name, (h, w) in found)
