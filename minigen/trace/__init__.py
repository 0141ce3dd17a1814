"""The stepper: what one step of backprop has to show (facts), and its faces.

facts        a Step as plain data, each fact with how to say it. It is made of: recorded (values and names),
             substitution (the rule with numbers), jacobian, probe (finite differences), inside (a plain form)
text         the facts laid out; terminal: mg.step_through; predict: questions first
picture      mg.draw, and page: mg.save_steps, mg.show_steps; both lay out (layout) the boxes of the graph (boxes)
expression   "tanh(a*b + c)", parsed for the command line
"""

from minigen.graph.step import register_details
from minigen.trace.facts import StepFacts, Walk
from minigen.trace.page import Steps, save_steps, show_steps
from minigen.trace.picture import draw
from minigen.trace.terminal import step_through
from minigen.trace.text import details

__all__ = ["StepFacts", "Steps", "Walk", "draw", "save_steps", "show_steps", "step_through"]

register_details(details)
