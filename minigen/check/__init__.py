"""Is a gradient right? Numerical gradients, and the comparison with what backward() says."""

from minigen.check.diagnosis import Diagnosis
from minigen.check.examine import examine
from minigen.check.gradients import Checked, Report, gradcheck
from minigen.check.numeric import Slopes, numerical_gradient

__all__ = ["Checked", "Diagnosis", "Report", "Slopes", "examine", "gradcheck", "numerical_gradient"]
