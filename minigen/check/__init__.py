"""Is a gradient right? Numerical gradients, and the comparison with what backward() says."""

from minigen.check.gradients import Checked, Report, gradcheck
from minigen.check.numeric import Slopes, numerical_gradient

__all__ = ["Checked", "Report", "Slopes", "gradcheck", "numerical_gradient"]
