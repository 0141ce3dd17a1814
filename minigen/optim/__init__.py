"""Training: optimisers, schedules of the learning rate, clipping, averaged weights, early stopping.

The loop of every lesson:

    optimiser = optim.Adam(model.parameters(), lr=1e-3)
    for x, t in batches:
        optimiser.zero_grad()
        mg.cross_entropy(model(x), t).backward()
        optimiser.step()
"""

from minigen.optim.averaging import ExponentialMovingAverage
from minigen.optim.clipping import clip_grad_norm, clip_grad_value, clip_weights
from minigen.optim.optimisers import SGD, Adam, AdamW, Optimiser, RMSProp
from minigen.optim.schedules import CosineLR, Schedule, StepLR, WarmUp
from minigen.optim.stopping import EarlyStopping

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineLR",
    "EarlyStopping",
    "ExponentialMovingAverage",
    "Optimiser",
    "RMSProp",
    "Schedule",
    "StepLR",
    "WarmUp",
    "clip_grad_norm",
    "clip_grad_value",
    "clip_weights",
]
