"""Why is a gradient wrong? Each explanation is a function (wrong) -> Explanation | None; the first that fits is told.

The order is from what is exact and simple to what takes more and says less.
"""

from collections.abc import Callable

from minigen.check.explanations.contributions import lost_contributions, some_lost
from minigen.check.explanations.derivative import derivative_formula, derivative_ratio
from minigen.check.explanations.elsewhere import right_for_another, right_without
from minigen.check.explanations.jacobian import foreign_contributions, weighted_outputs
from minigen.check.explanations.location import location
from minigen.check.explanations.paths import path, stops_early, two_paths
from minigen.check.explanations.place import (
    gradient_of_another,
    other_input,
    rearranged,
    same_numbers,
    shifted,
    transposed_jacobian,
    upstream_rearranged,
)
from minigen.check.explanations.ratio import all_zero, constant_ratio, unnamed_ratio
from minigen.check.explanations.shape import wrong_shape
from minigen.check.explanations.simpler import explained_when_simpler, right_when_simpler
from minigen.check.explanations.tensor_ratio import axis_ratio, tensor_ratio
from minigen.check.explanations.terms import constant_along, known_term, one_hot_term
from minigen.check.explanations.wrong import Explanation, Wrong

Explain = Callable[[Wrong], Explanation | None]
EXPLANATIONS: list[Explain] = [
    all_zero,
    other_input,
    constant_ratio,
    rearranged,
    derivative_ratio,
    lost_contributions,
    right_for_another,
    upstream_rearranged,
    tensor_ratio,
    one_hot_term,
    path,
    right_without,
    stops_early,
    gradient_of_another,
    transposed_jacobian,
    foreign_contributions,
    weighted_outputs,
    shifted,
    location,
    known_term,
    constant_along,
    derivative_formula,
    two_paths,
    some_lost,
    same_numbers,
    axis_ratio,
    unnamed_ratio,
    explained_when_simpler,
    right_when_simpler,
]

__all__ = ["EXPLANATIONS", "Explain", "Explanation", "Wrong", "wrong_shape"]
