"""Layers: modules with named parameters. Hyper-parameters are keyword-only.

Images are N, H, W, C, sequences N, T, D.
"""

from minigen.nn import init
from minigen.nn.activations import (
    ELU,
    GELU,
    Dropout,
    Flatten,
    LeakyReLU,
    LogSoftmax,
    Maxout,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from minigen.nn.convolution import AvgPool2d, Conv2d, ConvTranspose2d, MaxPool2d, MinPool2d, Upsample
from minigen.nn.linear import Dense, Embedding
from minigen.nn.module import Module, Sequential
from minigen.nn.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from minigen.nn.recurrent import GRU, LSTM, RNN

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "AvgPool2d",
    "BatchNorm",
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GroupNorm",
    "InstanceNorm",
    "LayerNorm",
    "LeakyReLU",
    "LogSoftmax",
    "MaxPool2d",
    "Maxout",
    "MinPool2d",
    "Module",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "Upsample",
    "init",
]
