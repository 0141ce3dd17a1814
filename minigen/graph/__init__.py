"""The op contract, recording, and the walk."""

from minigen.graph.contract import keep, op
from minigen.graph.step import Arrival, Seen, Step, detect_anomaly, watch
from minigen.graph.tape import mark_changed, no_grad, register_tensor
from minigen.graph.walk import backprop, backward, grad, unbroadcast

__all__ = [
    "Arrival",
    "Seen",
    "Step",
    "backprop",
    "backward",
    "detect_anomaly",
    "grad",
    "keep",
    "mark_changed",
    "no_grad",
    "op",
    "register_tensor",
    "unbroadcast",
    "watch",
]
