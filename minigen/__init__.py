"""minigen: a deep-learning engine on NumPy or CuPy, made to be read, stepped through and checked.

    import minigen as mg

    x = mg.tensor([[1.0, 2.0]])
    w = mg.tensor([[0.5], [-0.3]], requires_grad=True)
    loss = mg.tanh(x @ w).sum()
    loss.backward()
    w.grad                          # an array of w's shape

Every op of minigen.ops is here under its name (mg.tanh, mg.conv2d, ...), beside the switch for the GPU (mg.use), the
walk (mg.backprop, mg.grad, mg.watch), and the rooms: layers (mg.nn), optimisers (mg.optim), data sets (mg.data).
"""

from minigen import check, checkpoint, data, nn, optim, parallel, random
from minigen.backend import asarray, to_numpy, use, using, xp
from minigen.check import gradcheck
from minigen.graph import Step, backprop, detect_anomaly, grad, keep, no_grad, op, watch
from minigen.ops import *  # noqa: F403
from minigen.random import seed
from minigen.tensor import Tensor, tensor
from minigen.threads import set_threads
from minigen.trace import draw, save_steps, show_steps, step_through

__version__ = "0.1.0"
