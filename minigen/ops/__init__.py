"""The formulas, a family a file: each op's forward beside its gradients. See minigen.graph.contract for the form."""

from minigen.ops.activations import (
    dropout,
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    maxout,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from minigen.ops.arithmetic import (
    abs,
    add,
    astype,
    clip,
    divide,
    exp,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    sign,
    sqrt,
    subtract,
    where,
)
from minigen.ops.convolution import conv2d, conv2d_weight, conv_transpose2d
from minigen.ops.linear import dense, embedding, matmul
from minigen.ops.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_normal,
    l1,
    mse,
)
from minigen.ops.normalization import batch_norm, group_norm, instance_norm, layer_norm
from minigen.ops.pooling import avg_pool2d, max_pool2d, min_pool2d, pool_at, spread2d, unpool2d, upsample2d
from minigen.ops.recurrent import gru, lstm, rnn
from minigen.ops.reductions import logsumexp, max, mean, min, sum, var
from minigen.ops.shaping import (
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    getitem,
    pad,
    reshape,
    scatter,
    split,
    squeeze,
    stack,
    transpose,
)

__all__ = [name for name, value in list(globals().items()) if callable(value) and not name.startswith("_")]
