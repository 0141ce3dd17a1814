"""Exercises: stubs to fill in, checked on every save, with a diagnosis of what is wrong. `minigen learn` runs them.

lessons/exercises/README.md tells how to write one.
"""

from minigen.learn.collection import collect, find
from minigen.learn.exercise import Exercise, ExerciseError, read
from minigen.learn.judge import judge
from minigen.learn.verdict import Verdict
from minigen.learn.workspace import Workspace

__all__ = ["Exercise", "ExerciseError", "Verdict", "Workspace", "collect", "find", "judge", "read"]
