"""The stepper: what one step of backprop has to show (facts), and its faces.

facts        a Step as plain data, each fact with how to say it. It is made of: recorded (values and names),
             substitution (the rule with numbers), jacobian, probe (finite differences), inside (a plain form)
text         the facts laid out; terminal: mg.step_through; predict: questions first
expression   "tanh(a*b + c)", parsed for the command line
"""

from minigen.trace.facts import StepFacts, Walk
from minigen.trace.terminal import step_through

__all__ = ["StepFacts", "Walk", "step_through"]
