"""Wrong backwards, each a right op with one mistake planted in it, and the words that its diagnosis has to contain."""

from wrong_backwards import (
    activations,
    arrays,
    courses,
    dense,
    held_out,
    held_out_2,
    images,
    losses,
    norms,
    sequences,
    variational,
)
from wrong_backwards.form import Planted

FAMILIES = (dense, activations, losses, norms, images, sequences, variational, arrays, courses)
WRONG: list[Planted] = [planted for family in FAMILIES for planted in family.WRONG]
HELD_OUT: list[Planted] = held_out.WRONG + held_out_2.WRONG
RIGHT_PAIRS = courses.RIGHT
