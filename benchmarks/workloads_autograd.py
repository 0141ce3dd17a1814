"""The workloads in HIPS autograd: gradients of NumPy code. It has no layers; what is here is what its user writes.

The convolution is columns of slices times a matrix; autograd's own, autograd.scipy.signal.convolve, takes seconds a
step. The optimisers work in place on each array, which is faster than autograd.misc.optimizers.
"""

import autograd.numpy as np
import numpy
from autograd import value_and_grad

rng = numpy.random.default_rng(0)


def uniform(*shape):
    return rng.random(shape, dtype=numpy.float32)


def weights(inputs, outputs):
    """(w, b) of a dense layer."""
    w = rng.standard_normal((inputs, outputs), dtype=numpy.float32) * numpy.float32(inputs**-0.5)
    return [w, numpy.zeros(outputs, numpy.float32)]


def dense(x, w, b):
    return np.dot(x, w) + b


def relu(x):
    return np.maximum(x, 0)


def cross_entropy(x, y):
    x = x - np.max(x, axis=1, keepdims=True)
    log_p = x - np.log(np.sum(np.exp(x), axis=1, keepdims=True))
    return -np.mean(log_p[numpy.arange(len(y)), y])


def binary_cross_entropy(x, y):
    """From logits, each number's."""
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))


class Momentum:
    def __init__(self, params, lr, momentum=0.9):
        self.params, self.lr, self.momentum = params, lr, momentum
        self.velocities = [numpy.zeros_like(p) for p in params]

    def update(self, gradients):
        for p, g, v in zip(self.params, gradients, self.velocities, strict=True):
            v *= self.momentum
            v += g
            p -= self.lr * v


class Adam:
    def __init__(self, params, lr, b1=0.9, b2=0.999):
        self.params, self.lr, self.b1, self.b2, self.t = params, lr, b1, b2, 0
        self.means, self.squares = ([numpy.zeros_like(p) for p in params] for _ in range(2))

    def update(self, gradients):
        self.t += 1
        lr = self.lr * (1 - self.b2**self.t) ** 0.5 / (1 - self.b1**self.t)
        for p, g, m, v in zip(self.params, gradients, self.means, self.squares, strict=True):
            m += (1 - self.b1) * (g - m)
            v += (1 - self.b2) * (g * g - v)
            p -= lr * m / (numpy.sqrt(v) + 1e-8)


def trainer(loss_of, optimiser):
    loss_and_gradients = value_and_grad(loss_of)

    def step():
        _, gradients = loss_and_gradients(optimiser.params)
        optimiser.update(gradients)

    return step


def network(params, x):
    """Dense layers with ReLU between them; params are w, b, w, b, ..."""
    for k in range(0, len(params) - 2, 2):
        x = relu(dense(x, *params[k : k + 2]))
    return dense(x, *params[-2:])


def mlp():
    params = weights(784, 256) + weights(256, 128) + weights(128, 10)
    x, y = uniform(64, 784), rng.integers(0, 10, 64)
    return trainer(lambda params: cross_entropy(network(params, x), y), Momentum(params, 1e-5))


def conv(x, w, b, kernel=5):
    """x (N, H, W, C), w (kernel * kernel * C, F)."""
    N, H, W, _ = x.shape
    OH, OW = H - kernel + 1, W - kernel + 1
    columns = np.concatenate([x[:, u : u + OH, v : v + OW] for u in range(kernel) for v in range(kernel)], axis=3)
    return np.dot(columns.reshape(N * OH * OW, -1), w).reshape(N, OH, OW, -1) + b


def max_pool(x):
    N, H, W, C = x.shape
    return np.max(x.reshape(N, H // 2, 2, W // 2, 2, C), axis=(2, 4))


def lenet():
    params = weights(25, 6) + weights(25 * 6, 16) + weights(400, 120) + weights(120, 84) + weights(84, 10)
    x, y = uniform(64, 28, 28, 1), rng.integers(0, 10, 64)
    padded = numpy.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))

    def loss(params):
        h = max_pool(relu(conv(padded, *params[:2])))
        h = max_pool(relu(conv(h, *params[2:4]))).reshape(64, -1)
        return cross_entropy(network(params[4:], h), y)

    return trainer(loss, Adam(params, 1e-3))


def char_lstm(hidden, batch=32, steps=64, vocabulary=64):
    embedding = rng.standard_normal((vocabulary, 64), dtype=numpy.float32)
    params = [embedding, *weights(64, 4 * hidden), weights(hidden, 4 * hidden)[0], *weights(hidden, vocabulary)]
    x, y = rng.integers(0, vocabulary, (steps, batch)), rng.integers(0, vocabulary, (steps, batch))
    start = numpy.zeros((batch, hidden), numpy.float32)

    def loss(params):
        embedding, w_x, b, w_h, w_out, b_out = params
        inputs = dense(embedding[x].reshape(steps * batch, -1), w_x, b).reshape(steps, batch, -1)
        h = c = start
        hs = []
        for t in range(steps):
            gates = inputs[t] + np.dot(h, w_h)
            i, f, o = (0.5 * np.tanh(0.5 * gates[:, k * hidden : (k + 1) * hidden]) + 0.5 for k in (0, 1, 3))
            c = f * c + i * np.tanh(gates[:, 2 * hidden : 3 * hidden])
            h = o * np.tanh(c)
            hs.append(h)
        return cross_entropy(dense(np.concatenate(hs), w_out, b_out), y.reshape(-1))

    return trainer(loss, Adam(params, 1e-3))


def lstm128():
    return char_lstm(128)


def lstm256():
    return char_lstm(256)


def vae():
    encoder = weights(784, 400) + weights(400, 20) + weights(400, 20)
    params, x = encoder + weights(20, 400) + weights(400, 784), uniform(128, 784)

    def loss(params):
        h = relu(dense(x, *params[:2]))
        mean, logvar = dense(h, *params[2:4]), dense(h, *params[4:6])
        z = mean + np.exp(0.5 * logvar) * rng.standard_normal((128, 20), dtype=numpy.float32)
        reconstruction = np.sum(binary_cross_entropy(network(params[6:], z), x))
        return reconstruction - 0.5 * np.sum(1 + logvar - mean * mean - np.exp(logvar))

    return trainer(loss, Adam(params, 1e-3))


def tiny():
    params = weights(2, 16) + weights(16, 16) + weights(16, 1)
    x, y = uniform(32, 2), rng.integers(0, 2, (32, 1)).astype(numpy.float32)
    return trainer(lambda params: np.mean(binary_cross_entropy(network(params, x), y)), Momentum(params, 1e-5))


WORKLOADS = {"W1": mlp, "W2": lenet, "W3a": lstm128, "W3b": lstm256, "W4": vae, "W7": tiny}
