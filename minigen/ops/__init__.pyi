"""What a type checker and an editor see of the ops: each is a function that carries its formulas."""

from typing import Any

class Op:
    """Called on Tensors it computes and records, on arrays it computes; `.forward`, `.d_<input>`, `.plain` by hand."""

    def __call__(self, *inputs: Any, **settings: Any) -> Any: ...
    def __getattr__(self, name: str) -> Any: ...

__all__ = [
    "abs",
    "add",
    "astype",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "broadcast_to",
    "clip",
    "concatenate",
    "conv2d",
    "conv2d_weight",
    "conv_transpose2d",
    "cross_entropy",
    "dense",
    "divide",
    "dropout",
    "elu",
    "embedding",
    "exp",
    "expand_dims",
    "flip",
    "gelu",
    "getitem",
    "group_norm",
    "gru",
    "instance_norm",
    "kl_normal",
    "l1",
    "layer_norm",
    "leaky_relu",
    "log",
    "log_softmax",
    "logsumexp",
    "lstm",
    "matmul",
    "max",
    "max_pool2d",
    "maximum",
    "maxout",
    "mean",
    "min",
    "min_pool2d",
    "minimum",
    "mse",
    "multiply",
    "negative",
    "pad",
    "pool_at",
    "power",
    "relu",
    "reshape",
    "rnn",
    "scatter",
    "sigmoid",
    "sign",
    "silu",
    "softmax",
    "softplus",
    "split",
    "spread2d",
    "sqrt",
    "squeeze",
    "stack",
    "subtract",
    "sum",
    "tanh",
    "transpose",
    "unpool2d",
    "upsample2d",
    "var",
    "where",
]

abs: Op
add: Op
astype: Op
avg_pool2d: Op
batch_norm: Op
binary_cross_entropy: Op
binary_cross_entropy_with_logits: Op
broadcast_to: Op
clip: Op
concatenate: Op
conv2d: Op
conv2d_weight: Op
conv_transpose2d: Op
cross_entropy: Op
dense: Op
divide: Op
dropout: Op
elu: Op
embedding: Op
exp: Op
expand_dims: Op
flip: Op
gelu: Op
getitem: Op
group_norm: Op
gru: Op
instance_norm: Op
kl_normal: Op
l1: Op
layer_norm: Op
leaky_relu: Op
log: Op
log_softmax: Op
logsumexp: Op
lstm: Op
matmul: Op
max: Op
max_pool2d: Op
maximum: Op
maxout: Op
mean: Op
min: Op
min_pool2d: Op
minimum: Op
mse: Op
multiply: Op
negative: Op
pad: Op
pool_at: Op
power: Op
relu: Op
reshape: Op
rnn: Op
scatter: Op
sigmoid: Op
sign: Op
silu: Op
softmax: Op
softplus: Op
split: Op
spread2d: Op
sqrt: Op
squeeze: Op
stack: Op
subtract: Op
sum: Op
tanh: Op
transpose: Op
unpool2d: Op
upsample2d: Op
var: Op
where: Op
