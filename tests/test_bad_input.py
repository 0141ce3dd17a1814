"""What bad input gets: a sentence that says who refuses, what it got and what it wants, from the call that is wrong.

One table. A row is what is wrong, the call, the kind of error, who speaks, and words that have to be said. The call is
that one call: its arguments are fine by themselves.
"""

# ruff: noqa: E501 - a row of the table is a line

import numpy as np
import pytest

import minigen as mg
from minigen import checkpoint, data, nn, ops, optim


def x(*shape, dtype="float32"):
    """An array of halves: floating-point numbers, and probabilities."""
    return mg.asarray(np.full(shape, 0.5, dtype))


def ids(*values):
    return mg.asarray(np.asarray(values, dtype="int64"))


def holding(value, *shape):
    """Zeros, but for one number in the second row."""
    array = np.zeros(shape, "float32")
    array.reshape(shape[0], -1)[1, -1] = value
    return mg.asarray(array)


def w(*shape, dtype="float32"):
    """A Tensor that is to be learned."""
    return mg.tensor(x(*shape, dtype=dtype), requires_grad=True)


def released():
    loss = (w(3) * 2.0).sum()
    loss.backward()
    return loss


def changed():
    a = w(3)
    loss = (a * a).sum()
    a.data -= 0.1
    return loss


def state_of(model, **changes):
    return {name: a for name, a in (model.state_dict() | changes).items() if a is not None}


class NoForward(nn.Module):
    pass


DOUBLE = "float64"
INTEGER = "int64"
DENSE = nn.Dense(4, 3)
ELEMENTWISE = [mse, l1, bce, bce_logits] = [
    mg.mse,
    mg.l1,
    mg.binary_cross_entropy,
    mg.binary_cross_entropy_with_logits,
]
WEIGHTS = {"rnn": 1, "gru": 3, "lstm": 4}  # how many gates


def recurrent(name, *, x_shape=(2, 5, 3), dtype="float32", **changed):
    """A call of mg.rnn, mg.gru or mg.lstm with fitting arguments, but for those that are changed."""
    gates = WEIGHTS[name]
    arguments = {"x": x(*x_shape, dtype=dtype), "h0": x(2, 4), "c0": x(2, 4), "w_x": x(3, gates * 4)}
    arguments |= {"w_h": x(4, gates * 4), "b": x(gates * 4), "b_n": x(4)}
    op = getattr(mg, name)
    return lambda: op(*[(arguments | changed)[k] for k in op.inputs])


# fmt: off
TABLE = [
    # ------------------------------------------------------------------ shapes that do not fit
    ("add", lambda: mg.add(x(2, 3), x(4)), ValueError, "add", "a (2, 3)", "b (4,)"),
    ("+ of Tensors", lambda: w(2, 3) + w(4), ValueError, "add", "a (2, 3)", "b (4,)"),
    ("array + Tensor", lambda: x(2, 3) + w(4), ValueError, "add", "a (2, 3)", "b (4,)"),
    ("subtract", lambda: mg.subtract(x(2, 3), x(4)), ValueError, "subtract", "a (2, 3)", "b (4,)"),
    ("multiply", lambda: mg.multiply(x(2, 3), x(4)), ValueError, "multiply", "a (2, 3)", "b (4,)"),
    ("divide", lambda: mg.divide(x(2, 3), x(4)), ValueError, "divide", "a (2, 3)", "b (4,)"),
    ("power", lambda: mg.power(x(2, 3), x(4)), ValueError, "power", "x (2, 3)", "p (4,)"),
    ("maximum", lambda: mg.maximum(x(2, 3), x(4)), ValueError, "maximum", "a (2, 3)", "b (4,)"),
    ("minimum", lambda: mg.minimum(x(2, 3), x(4)), ValueError, "minimum", "a (2, 3)", "b (4,)"),
    ("where", lambda: mg.where(x(3) > 0, x(2), x(3)), ValueError, "where", "condition (3,)", "a (2,)"),
    ("matmul", lambda: mg.matmul(x(2, 3), x(4, 5)), ValueError, "matmul", "a (2, 3)", "b (4, 5)"),
    ("dense: features", lambda: mg.dense(x(2, 3), x(4, 5)), ValueError, "dense", "x has 3 features (axis 1), w wants 4"),
    ("dense: one sample", lambda: mg.dense(x(3), x(3, 5)), ValueError, "dense", "x has shape (3,)", "wants x (N, D)"),
    ("dense: a sequence", lambda: mg.dense(x(2, 5, 3), x(3, 4)), ValueError, "dense", "x has shape (2, 5, 3)", "nn.Dense folds"),
    ("dense: a bias of 1", lambda: mg.dense(x(2, 3), x(3, 4), x(1)), ValueError, "dense", "b has shape (1,)", "wants (4,)"),
    ("dense: a bias a sample", lambda: mg.dense(x(4, 3), x(3, 4), x(4, 4)), ValueError, "dense", "b has shape (4, 4)", "wants (4,)"),
    ("Dense", lambda: DENSE(x(2, 5)), ValueError, "dense", "x has 5 features (axis 1), w wants 4"),
    ("Dense: a list", lambda: DENSE([[1.0, 2.0]]), ValueError, "dense", "x has 2 features (axis 1), w wants 4"),
    ("Dense on sequences", lambda: DENSE(x(2, 7, 5)), ValueError, "Dense", "(2, 7, 5)", "wants 4 features on its last axis"),
    ("Dense: no images", lambda: nn.Dense(784, 10)(x(2, 28, 28)), ValueError, "Dense", "(2, 28, 28)", "wants 784 features"),
    ("conv2d: one image", lambda: mg.conv2d(x(8, 8, 1), x(3, 3, 1, 4)), ValueError, "conv2d", "(8, 8, 1)", "wants x (N, H, W, C)"),
    ("conv2d: channels", lambda: mg.conv2d(x(2, 8, 8, 5), x(3, 3, 1, 4)), ValueError, "conv2d", "5 channels (axis 3)", "wants 1"),
    ("conv2d: NCHW", lambda: mg.conv2d(x(2, 3, 8, 8), x(3, 3, 3, 4)), ValueError, "conv2d", "looks like N, C, H, W", "transpose(0, 2, 3, 1)"),
    ("Conv2d: NCHW", lambda: nn.Conv2d(3, 4, 3)(x(2, 3, 8, 8)), ValueError, "conv2d", "looks like N, C, H, W", "transpose(0, 2, 3, 1)"),
    ("conv2d: bias", lambda: mg.conv2d(x(2, 8, 8, 1), x(3, 3, 1, 4), x(1)), ValueError, "conv2d", "b has shape (1,)", "wants (4,)"),
    ("conv2d: a kernel too large", lambda: mg.conv2d(x(2, 4, 4, 1), x(5, 5, 1, 4)), ValueError, "conv2d", "5x5", "4x4"),
    ("Conv2d: a kernel too large", lambda: nn.Conv2d(1, 4, (2, 7))(x(2, 4, 4, 1)), ValueError, "conv2d", "2x7", "4x4"),
    ("conv_transpose2d: channels", lambda: mg.conv_transpose2d(x(2, 4, 4, 5), x(3, 3, 1, 4)), ValueError, "conv_transpose2d",
     "5 channels", "wants 4"),
    ("conv_transpose2d: all cut away", lambda: mg.conv_transpose2d(x(2, 1, 1, 4), x(3, 3, 1, 4), padding=2), ValueError,
     "conv_transpose2d", "padding 2", "1x1", "3x3"),
    ("conv2d_weight", lambda: mg.conv2d_weight(x(2, 8, 8, 1), x(2, 7, 7, 4), kernel=(3, 3)), ValueError, "conv2d_weight",
     "x (2, 8, 8, 1)", "g (2, 7, 7, 4)"),
    ("conv2d_weight: samples", lambda: mg.conv2d_weight(x(3, 8, 8, 1), x(2, 6, 6, 4), kernel=(3, 3)), ValueError, "conv2d_weight",
     "(3, 8, 8, 1)", "(2, 6, 6, 4)"),
    ("max_pool2d: one image", lambda: mg.max_pool2d(x(8, 8, 1), kernel=2), ValueError, "max_pool2d", "(8, 8, 1)", "wants four axes"),
    ("max_pool2d: too large", lambda: mg.max_pool2d(x(2, 2, 2, 1), kernel=3), ValueError, "max_pool2d", "3x3", "2x2"),
    ("min_pool2d: too large", lambda: mg.min_pool2d(x(2, 2, 2, 1), kernel=3), ValueError, "min_pool2d", "3x3", "2x2"),
    ("avg_pool2d: too large", lambda: mg.avg_pool2d(x(2, 2, 2, 1), kernel=3), ValueError, "avg_pool2d", "3x3", "2x2"),
    ("pool_at", lambda: mg.pool_at(x(2, 4, 4, 1), ids(1, 2, 3), kernel=2, stride=2, padding=0), ValueError, "pool_at",
     "x (2, 4, 4, 1)", "winner (3,)"),
    ("unpool2d", lambda: mg.unpool2d(x(2, 2, 2, 1), x(2, 3, 3, 1), shape=(2, 4, 4, 1), kernel=2, stride=2, padding=0), ValueError,
     "unpool2d", "x (2, 2, 2, 1)", "winner (2, 3, 3, 1)"),
    ("spread2d", lambda: mg.spread2d(x(2, 3, 3, 1), shape=(2, 4, 4, 1), kernel=2, stride=2, padding=0), ValueError, "spread2d",
     "x (2, 3, 3, 1)", "shape=(2, 4, 4, 1)"),
    ("upsample2d", lambda: mg.upsample2d(x(8, 8, 1)), ValueError, "upsample2d", "(8, 8, 1)", "wants four axes (N, H, W, C)"),
    ("batch_norm", lambda: mg.batch_norm(x(4, 3), x(2), x(2)), ValueError, "batch_norm", "3 features", "gamma is (2,)", "wants (3,)"),
    ("BatchNorm", lambda: nn.BatchNorm(2)(x(4, 3)), ValueError, "batch_norm", "3 features", "gamma is (2,)"),
    ("BatchNorm in use", lambda: nn.BatchNorm(2).eval()(x(4, 1)), ValueError, "BatchNorm", "1 features", "gamma is (2,)"),
    ("BatchNorm of one sample", lambda: nn.BatchNorm(3)(x(1, 3)), ValueError, "BatchNorm", "(1, 3)", "more than one"),
    ("layer_norm", lambda: mg.layer_norm(x(4, 3), x(1), x(3)), ValueError, "layer_norm", "gamma is (1,)", "beta (3,)", "wants (3,)"),
    ("LayerNorm", lambda: nn.LayerNorm(2)(x(4, 3)), ValueError, "layer_norm", "3 features", "gamma is (2,)"),
    ("group_norm", lambda: mg.group_norm(x(4, 6), x(6), x(6), groups=4), ValueError, "group_norm", "6 channels", "groups=4"),
    ("GroupNorm", lambda: nn.GroupNorm(3, 8), ValueError, "GroupNorm", "8 channels", "3 groups"),
    ("GroupNorm: features", lambda: nn.GroupNorm(2, 8)(x(4, 6)), ValueError, "group_norm", "6 features", "gamma is (8,)"),
    ("InstanceNorm", lambda: nn.InstanceNorm(8)(x(4, 5, 5, 6)), ValueError, "group_norm", "6 features", "gamma is (8,)"),
    ("maxout", lambda: mg.maxout(x(2, 5), pieces=2), ValueError, "maxout", "5 features", "pieces=2"),
    ("Maxout", lambda: nn.Maxout(3)(x(2, 5)), ValueError, "maxout", "5 features", "pieces=3"),
    ("dropout", lambda: mg.dropout(x(2, 5), x(4), p=0.5), ValueError, "dropout", "x (2, 5)", "mask (4,)"),
    ("dropout: a larger mask", lambda: mg.dropout(x(1, 5), x(4, 5), p=0.5), ValueError, "dropout", "mask (4, 5)", "x (1, 5)"),
    ("reshape", lambda: mg.reshape(x(2, 3), shape=(4, -1)), ValueError, "reshape", "x (2, 3)", "shape=(4, -1)"),
    (".reshape", lambda: w(2, 3).reshape(4, 2), ValueError, "reshape", "x (2, 3)", "shape=(4, 2)"),
    ("transpose", lambda: mg.transpose(x(2, 3), axes=(0, 1, 2)), ValueError, "transpose", "x (2, 3)", "axes=(0, 1, 2)"),
    ("expand_dims", lambda: mg.expand_dims(x(2, 3), axis=4), IndexError, "expand_dims", "x (2, 3)", "axis=4"),
    ("squeeze", lambda: mg.squeeze(x(2, 3), axis=0), ValueError, "squeeze", "x (2, 3)", "axis=0"),
    ("broadcast_to", lambda: mg.broadcast_to(x(2, 3), shape=(3, 3)), ValueError, "broadcast_to", "x (2, 3)", "shape=(3, 3)"),
    ("getitem", lambda: w(3)[5], IndexError, "getitem", "x (3,)", "index=5"),
    ("scatter", lambda: mg.scatter(x(3), shape=(2, 2), index=0), ValueError, "scatter", "x (3,)", "shape=(2, 2)"),
    ("concatenate", lambda: mg.concatenate(x(2, 3), x(2, 4)), ValueError, "concatenate", "xs[0] (2, 3)", "xs[1] (2, 4)"),
    ("stack", lambda: mg.stack([x(2, 3), x(2, 4)]), ValueError, "stack", "xs[0] (2, 3)", "xs[1] (2, 4)"),
    ("split", lambda: mg.split(x(5, 2), sections=2), ValueError, "split", "x (5, 2)", "sections=2"),
    ("pad", lambda: mg.pad(x(2, 3), width=((1, 1), (1, 1), (1, 1))), ValueError, "pad", "x (2, 3)", "width"),
    ("flip", lambda: mg.flip(x(2, 3), axis=2), IndexError, "flip", "x (2, 3)", "axis=2"),
    ("sum", lambda: mg.sum(x(2, 3), axis=2), IndexError, "sum", "x (2, 3)", "axis=2"),
    ("mean", lambda: w(2, 3).mean(axis=2), IndexError, "mean", "x (2, 3)", "axis=2"),
    ("var", lambda: mg.var(x(2, 3), axis=2), IndexError, "var", "x (2, 3)", "axis=2"),
    ("max", lambda: mg.max(x(2, 3), axis=2), IndexError, "max", "x (2, 3)", "axis=2"),
    ("min", lambda: mg.min(x(2, 3), axis=2), IndexError, "min", "x (2, 3)", "axis=2"),
    ("logsumexp", lambda: mg.logsumexp(x(2, 3), axis=2), IndexError, "logsumexp", "x (2, 3)", "axis=2"),
    ("softmax", lambda: mg.softmax(x(2, 3), axis=2), IndexError, "softmax", "x (2, 3)", "axis=2"),
    ("log_softmax", lambda: nn.LogSoftmax(2)(x(2, 3)), IndexError, "log_softmax", "x (2, 3)", "axis=2"),
    ("var of one number", lambda: mg.var(x(1, 3), axis=0, ddof=1), ValueError, "var", "1 entries", "wants more than 1"),
    ("tensor: ragged", lambda: mg.tensor([[1.0, 2.0], [3.0]]), ValueError, "tensor", "[[1.0, 2.0], [3.0]]", "rows of one length"),
    ("data: another shape", lambda: setattr(w(2, 3), "data", x(3, 2)), ValueError, "data", "(2, 3)", "(3, 2)"),

    # ------------------------------------------------------------------ (N, 1) against (N,), and other targets
    *[(f"{loss.__name__}: (N, 1) against (N,)", lambda loss=loss: loss(x(8, 1), x(8)), ValueError, loss.__name__,
       "(8, 1)", "(8,)", "wants equal shapes") for loss in ELEMENTWISE],
    *[(f"{loss.__name__}: (N,) against (N, 1)", lambda loss=loss: loss(w(8), w(8, 1).detach()), ValueError, loss.__name__,
       "(8,)", "(8, 1)", "wants equal shapes") for loss in ELEMENTWISE],
    ("kl_normal: (N, 1) against (N,)", lambda: mg.kl_normal(x(8, 1), x(8)), ValueError, "kl_normal", "(8, 1)", "(8,)", "equal shapes"),
    ("cross_entropy: (N, 1) labels", lambda: mg.cross_entropy(x(2, 3), mg.asarray(np.zeros((2, 1), "int64"))), ValueError,
     "cross_entropy", "want labels of shape (2,)", "got (2, 1)"),
    ("cross_entropy: too few labels", lambda: mg.cross_entropy(x(2, 3), ids(1)), ValueError, "cross_entropy", "(2,)", "got (1,)"),
    ("mse: a model without return", lambda: mg.mse(None, x(3)), AttributeError, "mse", "x None"),
    ("cross_entropy: no labels", lambda: mg.cross_entropy(x(2, 3), None), TypeError, "cross_entropy", "labels are NoneType"),
    *[(f"{loss.__name__}: reduction", lambda loss=loss: loss(x(3), x(3), reduction="avg"), ValueError, loss.__name__,
       "reduction is 'avg'", '"mean", "sum" or "none"') for loss in [*ELEMENTWISE, mg.kl_normal]],
    ("cross_entropy: reduction", lambda: mg.cross_entropy(x(2, 3), ids(0, 1), reduction=None), ValueError, "cross_entropy",
     "reduction is None", '"mean", "sum" or "none"'),

    # ------------------------------------------------------------------ labels and ids
    ("labels: too large", lambda: mg.cross_entropy(x(2, 3), ids(0, 3)), ValueError, "cross_entropy", "from 0 to 3", "3 classes", "0 to 2"),
    ("labels: negative", lambda: mg.cross_entropy(x(2, 3), ids(-1, 2)), ValueError, "cross_entropy", "from -1 to 2", "0 to 2"),
    ("labels: not integers", lambda: mg.cross_entropy(x(2, 3), x(2)), TypeError, "cross_entropy", "labels are float32", "integers"),
    ("labels: a number", lambda: mg.cross_entropy(x(1, 3), 2), TypeError, "cross_entropy", "labels are int", "wants an array of integers"),
    ("concatenate: no axis", lambda: mg.concatenate(x(2), x(2), axis=None), TypeError, "concatenate", "axis is None", "wants an int"),
    ("split: falling", lambda: mg.split(x(6), sections=[4, 2]), ValueError, "split", "sections are [4, 2]", "indices that rise"),
    ("labels: one-hot", lambda: mg.cross_entropy(x(2, 3), x(2, 3)), TypeError, "cross_entropy", "float32", "not one-hot"),
    ("labels: one-hot integers", lambda: mg.cross_entropy(x(2, 3), mg.asarray(np.eye(3, dtype=int)[:2])), ValueError,
     "cross_entropy", "(2,)", "got (2, 3)"),
    ("probabilities: above 1", lambda: bce(x(2) * 4, x(2)), ValueError, "binary_cross_entropy", "from 2 to 2", "wants 0 to 1"),
    ("probabilities: NaN", lambda: bce(holding(np.nan, 2, 1), x(2, 1)), ValueError, "binary_cross_entropy", "nan", "wants 0 to 1"),
    ("ids: too large", lambda: mg.embedding(ids(0, 7), x(7, 2)), IndexError, "embedding", "from 0 to 7", "wants 0 to 6"),
    ("ids: negative", lambda: nn.Embedding(7, 2)(ids(-1, 3)), IndexError, "embedding", "from -1 to 3", "wants 0 to 6"),
    ("ids: not integers", lambda: nn.Embedding(7, 2)(x(3)), TypeError, "embedding", "float32", "wants integers"),
    ("one_hot: too large", lambda: data.one_hot(np.array([0, 3]), 3), ValueError, "one_hot", "a label is 3", "0 to 2"),
    ("one_hot: not integers", lambda: data.one_hot(np.array([0.0]), 3), TypeError, "one_hot", "float64", "whole numbers"),

    # ------------------------------------------------------------------ integers where floats are needed
    ("integers: dense", lambda: mg.dense(x(2, 4, dtype=INTEGER), x(4, 3)), TypeError, "dense", "x holds int64", "astype('float32')"),
    ("integers: Dense", lambda: DENSE(x(2, 4, dtype="uint8")), TypeError, "dense", "x holds uint8", "wants floating-point"),
    ("integers: matmul", lambda: mg.matmul(x(2, 4), x(4, 3, dtype=INTEGER)), TypeError, "matmul", "b holds int64", "wants floating-point"),
    ("integers: conv2d", lambda: nn.Conv2d(1, 2, 3)(x(2, 8, 8, 1, dtype="uint8")), TypeError, "conv2d", "x holds uint8", "floating-point"),
    ("integers: conv_transpose2d", lambda: nn.ConvTranspose2d(1, 2, 3)(x(2, 8, 8, 1, dtype="uint8")), TypeError, "conv_transpose2d",
     "x holds uint8", "wants floating-point"),
    ("integers: max_pool2d", lambda: nn.MaxPool2d(3, padding=1)(x(2, 8, 8, 1, dtype="uint8")), TypeError, "max_pool2d", "x holds uint8"),
    ("integers: min_pool2d", lambda: nn.MinPool2d(2)(x(2, 8, 8, 1, dtype="uint8")), TypeError, "min_pool2d", "x holds uint8"),
    ("integers: avg_pool2d", lambda: nn.AvgPool2d(2)(x(2, 8, 8, 1, dtype="uint8")), TypeError, "avg_pool2d", "x holds uint8"),
    ("integers: BatchNorm", lambda: nn.BatchNorm(3)(x(2, 3, dtype=INTEGER)), TypeError, "batch_norm", "x holds int64"),
    ("integers: BatchNorm in use", lambda: nn.BatchNorm(3).eval()(x(2, 3, dtype=INTEGER)), TypeError, "BatchNorm", "x holds int64"),
    ("integers: LayerNorm", lambda: nn.LayerNorm(3)(x(2, 3, dtype=INTEGER)), TypeError, "layer_norm", "x holds int64"),
    ("integers: GroupNorm", lambda: nn.GroupNorm(1, 3)(x(2, 3, dtype=INTEGER)), TypeError, "group_norm", "x holds int64"),
    *[(f"integers: {kind.__name__}", lambda kind=kind: kind(3, 4)(x(2, 5, 3, dtype=INTEGER)), TypeError, kind.__name__.lower(),
       "x holds int64") for kind in (nn.RNN, nn.GRU, nn.LSTM)],
    *[(f"integers: {loss.__name__}", lambda loss=loss: loss(x(3, dtype=INTEGER), x(3)), TypeError, loss.__name__,
       "int64", "wants floating-point") for loss in ELEMENTWISE],
    ("integers: cross_entropy", lambda: mg.cross_entropy(x(2, 3, dtype=INTEGER), ids(0, 1)), TypeError, "cross_entropy", "int64"),
    ("integers: kl_normal", lambda: mg.kl_normal(x(2, 3, dtype=INTEGER), x(2, 3)), TypeError, "kl_normal", "int64"),
    ("integers: a gradient", lambda: mg.tensor(ids(1, 2), requires_grad=True), TypeError, "tensor", "int64", "floating-point"),
    ("integers: freeze and thaw", lambda: mg.tensor(ids(1, 2)).requires_grad_(), TypeError, "tensor", "int64", "floating-point"),
    ("integers: a model", lambda: nn.Dense(2, 2).astype("int64"), TypeError, "Dense.astype", "int64", "floating-point"),
    ("integers: astype", lambda: w(3).astype("int64"), TypeError, "astype", "int64", "floating-point"),
    ("tensor: a word", lambda: mg.tensor("three"), ValueError, "tensor", "'three'", "wants numbers"),
    ("tensor: None", lambda: mg.tensor(None), ValueError, "tensor", "None", "wants numbers"),

    # ------------------------------------------------------------------ float32 meets float64
    ("float64: dense", lambda: mg.dense(x(2, 4, dtype=DOUBLE), x(4, 3)), TypeError, "dense", "x is float64", "w is float32", "astype"),
    ("float64: Dense", lambda: DENSE(x(2, 4, dtype=DOUBLE)), TypeError, "dense", "x is float64", "w is float32", "astype"),
    ("float64: Dense's bias", lambda: mg.dense(x(2, 4), x(4, 3), x(3, dtype=DOUBLE)), TypeError, "dense", "b is float64"),
    ("float64: matmul", lambda: x(2, 4, dtype=DOUBLE) @ w(4, 3), TypeError, "matmul", "a is float64", "b is float32"),
    ("float64: conv2d", lambda: nn.Conv2d(1, 2, 3)(x(2, 8, 8, 1, dtype=DOUBLE)), TypeError, "conv2d", "x is float64", "w is float32"),
    ("float64: conv_transpose2d", lambda: nn.ConvTranspose2d(1, 2, 3)(x(2, 8, 8, 1, dtype=DOUBLE)), TypeError, "conv_transpose2d",
     "x is float64", "w is float32"),
    ("float64: conv2d_weight", lambda: mg.conv2d_weight(x(2, 8, 8, 1, dtype=DOUBLE), x(2, 6, 6, 4), kernel=(3, 3)), TypeError,
     "conv2d_weight", "x is float64", "g is float32"),
    *[(f"float64: {name}", recurrent(name, dtype=DOUBLE), TypeError, name, "x is float64", "h0 is float32") for name in WEIGHTS],
    ("float64: LSTM", lambda: nn.LSTM(3, 4)(x(2, 5, 3, dtype=DOUBLE)), TypeError, "lstm", "x is float64", "w_x is float32"),
    ("float64: BatchNorm", lambda: nn.BatchNorm(3)(x(2, 3, dtype=DOUBLE)), TypeError, "batch_norm", "x is float64", "gamma is float32"),
    ("float64: BatchNorm in use", lambda: nn.BatchNorm(3).eval()(x(2, 3, dtype=DOUBLE)), TypeError, "BatchNorm", "x is float64"),
    ("float64: LayerNorm", lambda: nn.LayerNorm(3)(x(2, 3, dtype=DOUBLE)), TypeError, "layer_norm", "x is float64", "gamma is float32"),

    # ------------------------------------------------------------------ an empty batch
    *[(f"empty: {loss.__name__}", lambda loss=loss: loss(x(0, 3), x(0, 3)), ValueError, loss.__name__, "(0, 3)", "empty batch")
      for loss in [*ELEMENTWISE, mg.kl_normal]],
    ("empty: cross_entropy", lambda: mg.cross_entropy(x(0, 3), ids()), ValueError, "cross_entropy", "(0, 3)", "empty batch"),
    ("empty: mean", lambda: w(0, 3).mean(), ValueError, "mean", "(0, 3)", "empty batch"),
    ("empty: var", lambda: mg.var(x(0, 3), axis=0), ValueError, "var", "(0, 3)", "wants more than 0"),
    ("empty: max", lambda: mg.max(x(0, 3), axis=0), ValueError, "max", "(0, 3)", "no entries"),
    ("empty: min", lambda: mg.min(x(0, 3), axis=0), ValueError, "min", "(0, 3)", "no entries"),
    ("empty: logsumexp", lambda: mg.logsumexp(x(0, 3)), ValueError, "logsumexp", "(0, 3)", "no entries"),
    ("empty: softmax", lambda: mg.softmax(x(3, 0)), ValueError, "softmax", "x (3, 0)"),
    ("empty: BatchNorm", lambda: nn.BatchNorm(3)(x(0, 3)), ValueError, "batch_norm", "(0, 3)", "empty batch"),
    ("empty: LayerNorm", lambda: nn.LayerNorm(3)(x(0, 3)), ValueError, "layer_norm", "(0, 3)", "empty batch"),
    ("empty: GroupNorm", lambda: nn.GroupNorm(1, 3)(x(0, 3)), ValueError, "group_norm", "(0, 3)", "empty batch"),
    ("empty: instance_norm", lambda: nn.InstanceNorm(3)(x(0, 4, 4, 3)), ValueError, "group_norm", "(0, 4, 4, 3)", "empty batch"),
    ("empty: batches", lambda: data.batches(x(0, 3)), ValueError, "batches", "(0, 3)", "at least one"),
    ("empty: concatenate", lambda: mg.concatenate(), ValueError, "concatenate", "at least one"),
    ("empty: stack", lambda: mg.stack([]), ValueError, "stack", "at least one"),

    # ------------------------------------------------------------------ NaN in the data
    ("NaN: batches", lambda: data.batches(holding(np.nan, 4, 3)), ValueError, "batches", "1 of the 12 numbers of x", "sample 1", "x[1, 2] is nan"),
    ("Inf: batches", lambda: data.batches(holding(np.inf, 4)), ValueError, "batches", "1 of the 4 numbers of x", "x[1] is inf"),
    ("NaN: a target", lambda: data.batches(x(4, 3), holding(np.nan, 4, 2)), ValueError, "batches", "8 numbers of y", "sample 1"),

    # ------------------------------------------------------------------ sizes, kernels, strides, shares
    ("Dense: no inputs", lambda: nn.Dense(0, 3), ValueError, "Dense", "inputs is 0", "at least 1"),
    ("Dense: a float", lambda: nn.Dense(3, 4.0), ValueError, "Dense", "outputs is 4.0", "wants an int"),
    ("Embedding: negative", lambda: nn.Embedding(-5, 3), ValueError, "Embedding", "entries is -5", "at least 1"),
    ("LSTM: hidden", lambda: nn.LSTM(3, -4), ValueError, "LSTM", "hidden is -4", "at least 1"),
    ("GRU: layers", lambda: nn.GRU(3, 4, layers=0), ValueError, "GRU", "layers is 0", "at least 1"),
    ("RNN: inputs", lambda: nn.RNN(True, 4), ValueError, "RNN", "inputs is True", "at least 1"),
    ("BatchNorm: features", lambda: nn.BatchNorm(0), ValueError, "BatchNorm", "features is 0", "at least 1"),
    ("BatchNorm: momentum", lambda: nn.BatchNorm(3, momentum=90), ValueError, "BatchNorm", "momentum is 90", "0 to 1"),
    ("BatchNorm: eps", lambda: nn.BatchNorm(3, eps=-1e-5), ValueError, "BatchNorm", "eps is -1e-05", "0 to 1"),
    ("LayerNorm: features", lambda: nn.LayerNorm(-3), ValueError, "LayerNorm", "features is -3", "at least 1"),
    ("LayerNorm: eps", lambda: nn.LayerNorm(3, eps=-1), ValueError, "LayerNorm", "eps is -1", "0 to 1"),
    ("GroupNorm: groups", lambda: nn.GroupNorm(0, 3), ValueError, "GroupNorm", "groups is 0", "at least 1"),
    ("InstanceNorm: channels", lambda: nn.InstanceNorm(0), ValueError, "InstanceNorm", "channels is 0", "at least 1"),
    ("group_norm: groups", lambda: mg.group_norm(x(4, 6), x(6), x(6), groups=-2), ValueError, "group_norm", "groups=-2"),
    ("Maxout: pieces", lambda: nn.Maxout(0), ValueError, "Maxout", "pieces is 0", "at least 1"),
    ("Conv2d: channels", lambda: nn.Conv2d(-1, 3, 3), ValueError, "Conv2d", "inputs is -1", "at least 1"),
    ("Conv2d: kernel", lambda: nn.Conv2d(1, 3, -3), ValueError, "Conv2d", "kernel is -3", "at least 1"),
    ("Conv2d: a float", lambda: nn.Conv2d(1, 3, 2.5), ValueError, "Conv2d", "kernel is 2.5", "at least 1"),
    ("Conv2d: three sides", lambda: nn.Conv2d(1, 3, (3, 3, 3)), ValueError, "Conv2d", "kernel is (3, 3, 3)", "or two of them"),
    ("Conv2d: stride", lambda: nn.Conv2d(1, 3, 3, stride=0), ValueError, "Conv2d", "stride is 0", "at least 1"),
    ("Conv2d: padding", lambda: nn.Conv2d(1, 3, 3, padding=-1), ValueError, "Conv2d", "padding is -1", "at least 0"),
    ("Conv2d: padding by name", lambda: nn.Conv2d(1, 3, 3, padding="same"), ValueError, "Conv2d", "padding is 'same'", "an int"),
    ("conv2d: stride", lambda: mg.conv2d(x(1, 4, 4, 1), x(3, 3, 1, 1), stride=-1), ValueError, "conv2d", "stride is -1", "at least 1"),
    ("conv_transpose2d: stride", lambda: mg.conv_transpose2d(x(1, 4, 4, 1), x(3, 3, 1, 1), stride=0), ValueError, "conv_transpose2d",
     "stride is 0", "at least 1"),
    ("ConvTranspose2d: output_padding", lambda: nn.ConvTranspose2d(1, 3, 3, stride=2, output_padding=2), ValueError, "ConvTranspose2d",
     "output_padding is 2", "less than the stride, 2"),
    ("conv_transpose2d: output_padding", lambda: mg.conv_transpose2d(x(1, 4, 4, 1), x(3, 3, 1, 1), output_padding=1), ValueError,
     "conv_transpose2d", "output_padding is 1", "less than the stride, 1"),
    ("MaxPool2d: kernel", lambda: nn.MaxPool2d(0), ValueError, "MaxPool2d", "kernel is 0", "at least 1"),
    ("MaxPool2d: stride", lambda: nn.MaxPool2d(2, stride=-2), ValueError, "MaxPool2d", "stride is -2", "at least 1"),
    ("MinPool2d: padding", lambda: nn.MinPool2d(3, padding=2), ValueError, "MinPool2d", "padding is 2", "half the kernel, 3"),
    ("AvgPool2d: padding", lambda: nn.AvgPool2d((2, 4), padding=2), ValueError, "AvgPool2d", "padding is 2", "half the kernel, (2, 4)"),
    ("max_pool2d: padding", lambda: mg.max_pool2d(x(1, 4, 4, 1), kernel=2, padding=2), ValueError, "max_pool2d", "padding is 2", "half"),
    ("max_pool2d: stride", lambda: mg.max_pool2d(x(1, 4, 4, 1), kernel=2, stride=0), ValueError, "max_pool2d", "stride is 0"),
    ("Upsample", lambda: nn.Upsample(0), ValueError, "Upsample", "scale is 0", "at least 1"),
    ("upsample2d: scale", lambda: mg.upsample2d(x(1, 4, 4, 1), scale=-1), ValueError, "upsample2d", "scale is -1", "at least 1"),
    ("Dropout: all", lambda: nn.Dropout(1.0), ValueError, "Dropout", "p is 1.0", "from 0 to below 1"),
    ("Dropout: negative", lambda: nn.Dropout(-0.1), ValueError, "Dropout", "p is -0.1", "from 0 to below 1"),
    ("Dropout: per cent", lambda: nn.Dropout(50), ValueError, "Dropout", "p is 50", "from 0 to below 1"),
    ("dropout: all", lambda: mg.dropout(x(3), x(3), p=1.0), ValueError, "dropout", "p is 1.0", "from 0 to below 1"),
    ("batches: size", lambda: data.batches(x(4, 3), batch_size=0), ValueError, "batches", "batch_size is 0", "at least 1"),
    ("batches: lengths", lambda: data.batches(x(4, 3), x(3)), ValueError, "batches", "x has 4 samples", "y has 3"),

    # ------------------------------------------------------------------ recurrent layers and their states
    *[(f"{name}: {argument}", recurrent(name, **{argument: x(*shape)}), ValueError, name, f"{argument} has shape {shape}", "wants (")
      for name, gates in WEIGHTS.items()
      for argument, shape in {"h0": (3, 4), "w_x": (4, gates * 4), "w_h": (5, gates * 4), "b": (4 * gates + 1,)}.items()],
    ("lstm: c0", recurrent("lstm", c0=x(1, 4)), ValueError, "lstm", "c0 has shape (1, 4)", "wants (2, 4)"),
    ("gru: b_n", recurrent("gru", b_n=x(12)), ValueError, "gru", "b_n has shape (12,)", "wants (4,)"),
    *[(f"{name}: no time steps", recurrent(name, x_shape=(2, 0, 3)), ValueError, name, "(2, 0, 3)", "at least one time step")
      for name in WEIGHTS],
    *[(f"{kind.__name__}: features", lambda kind=kind: kind(3, 4)(x(2, 5, 4)), ValueError, kind.__name__, "(2, 5, 4)", "(N, T, 3)")
      for kind in (nn.RNN, nn.GRU, nn.LSTM)],
    *[(f"{kind.__name__}: one step", lambda kind=kind: kind(3, 4)(x(2, 3)), ValueError, kind.__name__, "(2, 3)", "(N, T, 3)")
      for kind in (nn.RNN, nn.GRU, nn.LSTM)],
    ("RNN: a state without layers", lambda: nn.RNN(3, 4)(x(2, 5, 3), x(2, 4)), ValueError, "RNN", "state is (2, 4)", "(1, 2, 4)"),
    ("GRU: a state for another batch", lambda: nn.GRU(3, 4, layers=2)(x(2, 5, 3), x(2, 3, 4)), ValueError, "GRU", "(2, 3, 4)", "(2, 2, 4)"),
    ("GRU: an LSTM's state", lambda: nn.GRU(3, 4)(x(2, 5, 3), (x(1, 2, 4), x(1, 2, 4))), ValueError, "GRU", "a tuple", "(1, 2, 4)"),
    ("LSTM: h alone", lambda: nn.LSTM(3, 4)(x(2, 5, 3), w(1, 2, 4)), TypeError, "LSTM", "a Tensor", "a pair (h0, c0)"),
    ("LSTM: a c of another size", lambda: nn.LSTM(3, 4)(x(2, 5, 3), (x(1, 2, 4), x(1, 2, 5))), ValueError, "LSTM", "c is (1, 2, 5)"),

    # ------------------------------------------------------------------ models, and their states
    ("Module: no forward", lambda: NoForward()(x(3)), TypeError, "NoForward", "forward(self, ...)"),
    ("Sequential: a class", lambda: nn.Sequential(DENSE, nn.ReLU), TypeError, "Sequential", "layer 1 is the class ReLU"),
    ("Sequential: a list", lambda: nn.Sequential([DENSE, nn.ReLU()]), TypeError, "Sequential", "layer 0 is a list", "wants a Module"),
    ("state: missing", lambda: DENSE.load_state_dict(state_of(DENSE, b=None)), ValueError, "load_state_dict", "b is missing"),
    ("state: surplus", lambda: DENSE.load_state_dict(state_of(DENSE, c=x(3))), ValueError, "load_state_dict", "c is surplus"),
    ("state: misshaped", lambda: DENSE.load_state_dict(state_of(DENSE, w=x(3, 4))), ValueError, "load_state_dict",
     "w has shape (3, 4), wants shape (4, 3)"),
    ("state: no array", lambda: DENSE.load_state_dict(state_of(DENSE, b=0.5)), ValueError, "load_state_dict", "b is a float", "(3,)"),
    ("state: no dict", lambda: DENSE.load_state_dict((DENSE.state_dict(), {})), TypeError, "load_state_dict", "a tuple", "state_dict()"),
    ("state: another model", lambda: nn.LSTM(3, 4, layers=3).load_state_dict({}), ValueError, "load_state_dict", "LSTM", "cells.0.w_x is missing",
     "and 5 more"),
    ("checkpoint: no file", lambda: checkpoint.load("nowhere.npz"), FileNotFoundError, "load", "nowhere.npz"),

    # ------------------------------------------------------------------ backward
    ("backward: no gradient", mg.tensor(1.0).backward, RuntimeError, "backward", "requires no gradient"),
    ("backward: detached", (w(3) * 2.0).sum().detach().backward, RuntimeError, "backward", "requires no gradient", "detached"),
    ("backward: not one number", (w(3) * 2.0).backward, RuntimeError, "backward", "(3,)", "upstream gradient"),
    ("backward: upstream", lambda: (w(3) * 2.0).backward(x(4)), ValueError, "backward", "(3,)", "got (4,)"),
    ("backward: twice", released().backward, RuntimeError, "backward", "released", "retain_graph=True"),
    ("backward: changed since", changed().backward, RuntimeError, "backward", "was changed", "multiply"),
    ("backward: by nature", lambda: mg.cross_entropy(w(2, 3), w(2)), TypeError, "cross_entropy", "labels"),
    ("grad: no part", lambda: mg.grad(w(3).sum(), w(3)), ValueError, "grad", "input 0", "no part"),
    ("grad: no Tensor", lambda: mg.grad(1.0, w(3)), TypeError, "grad", "float", "Tensor"),
    ("a Tensor as truth", lambda: bool(w(3)), ValueError, "the truth of a Tensor", "(3,)"),

    # ------------------------------------------------------------------ optimisers, backends
    *[(f"{kind.__name__}: no parameters", lambda kind=kind: kind([], lr=0.1), ValueError, kind.__name__, "no parameters")
      for kind in (optim.SGD, optim.RMSProp, optim.Adam, optim.AdamW)],
    ("SGD: a model", lambda: optim.SGD(DENSE, lr=0.1), TypeError, "SGD", "Dense", ".parameters()"),
    ("SGD: frozen", lambda: optim.SGD([mg.tensor(x(3))], lr=0.1), ValueError, "SGD", "requires no gradient"),
    ("SGD: computed", lambda: optim.SGD([w(3) * 2.0], lr=0.1), ValueError, "SGD", "multiply", "leaves"),
    ("SGD: twice", lambda: optim.SGD([DENSE.w, DENSE.w], lr=0.1), ValueError, "SGD", "again"),
    ("Adam: lr", lambda: optim.Adam([w(3)], lr=-0.1), ValueError, "Adam", "lr is -0.1", "at least 0"),
    ("use", lambda: mg.use("torch"), ValueError, "use", "'torch'", "numpy, cupy"),
    ("seed: negative", lambda: mg.seed(-1), ValueError, "seed", "-1", "at least 0"),
    ("seed: a fraction", lambda: mg.seed(1.5), ValueError, "seed", "1.5", "whole number"),
]
# fmt: on


@pytest.mark.parametrize("call, error, who, words", [pytest.param(*row[1:4], row[4:], id=row[0]) for row in TABLE])
def test_bad_input_gets_a_sentence(call, error, who, words):
    with pytest.raises(Exception) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is error, f"a {type(caught.value).__name__}: {message}"
    assert message.startswith((who + ":", who + " ")), f"{who} does not speak first: {message}"
    missing = [word for word in words if word not in message]
    assert not missing, f"{missing} is not said: {message}"


def test_every_op_and_layer_is_in_the_table():
    speaks = {row[3] for row in TABLE} | {row[0].split(":")[0] for row in TABLE}
    one_shape_fits_all = {
        *("tanh", "relu", "leaky_relu", "elu", "silu", "gelu", "sigmoid", "softplus"),
        *("negative", "exp", "log", "sqrt", "sign", "abs", "clip"),
    }
    assert {op for op in ops.__all__} - speaks - one_shape_fits_all == {"instance_norm"}  # a group_norm
    plain = {
        "ReLU",
        "LeakyReLU",
        "ELU",
        "SiLU",
        "GELU",
        "Sigmoid",
        "Softplus",
        "Tanh",
        "Softmax",
        "LogSoftmax",
    }
    assert {name for name in nn.__all__ if name[0].isupper()} - speaks - plain == {"Flatten"}


NUMPY_TAKES_ANYTHING = {"broadcast_to", "concatenate", "flip", "pad", "stack", "where"}


@pytest.mark.parametrize("name", sorted(set(ops.__all__) - {"instance_norm"} - NUMPY_TAKES_ANYTHING))
def test_a_forward_that_forgot_its_return_is_noticed_by_name(name):
    op = getattr(mg, name)
    required = [s for s in op.settings if op.__signature__.parameters[s].default is op.__signature__.empty]
    with pytest.raises((TypeError, ValueError, IndexError, AttributeError), match=f"^{name}: .*(None)"):
        op(*[None] * len(op.inputs), **dict.fromkeys(required, 0.5))


def test_finite_numbers_whose_sum_overflows_are_fine():
    assert len(data.batches(mg.asarray(np.full((4, 8), 60000, "float16")))) == 1


def test_a_refused_state_changes_nothing():
    model = nn.Dense(4, 3)
    before = model.state_dict()
    with pytest.raises(ValueError):
        model.load_state_dict({"w": x(4, 3), "b": x(4)})
    for name, array in model.state_dict().items():
        assert np.array_equal(mg.to_numpy(array), mg.to_numpy(before[name]))
