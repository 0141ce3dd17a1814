"""Gradient checking

Goal: measure slopes without formulas, know how far to trust them, and learn from a checker why a gradient is wrong.
Needs: backprop by hand (lesson 1.4), your own autograd (lesson 1.7).
Time: about 2 s (--quick: the same).
You should see: the slope of tanh measured to within 2e-11 by two-sided differences, 2e-13 by five points, 2e-16 by the
    complex step (two-sided in float32: 1e-5); wrong gradients of softmax that pass; three mistakes and their reasons.
"""

# %% [markdown]
# A wrong gradient raises no error: the network learns badly, or not at all. Lesson 1.4 had a judge: move a number a
# little up, a little down, and look at the output. How little is *a little*? Taylor's series says what to expect:
#
#     f(x + h) = f + h f' + h²/2 f'' + h³/6 f''' + ...        f(x - h) = f - h f' + h²/2 f'' - h³/6 f''' + ...
#
# (f(x + h) - f) / h is f' + **h/2 f''** + ...: off by h. In the difference of the two lines f'' cancels, and dividing
# by 2 h leaves f' + **h²/6 f'''** + ...: off by h². Two more points cancel f''' as well, which leaves h⁴.

# %%
import warnings

import minigen as mg
from minigen import lesson, nn, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()


# fmt: off
def one_sided(f, x, h):  return (f(x + h) - f(x)) / h
def two_sided(f, x, h):  return (f(x + h) - f(x - h)) / (2 * h)  # also called the central difference
def five_point(f, x, h): return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)

x = mg.random.normal(200, dtype="float64")  # (200,), points at which we measure the slope of tanh
slope = 1 - xp.tanh(x) ** 2                 # (200,), the true one
def error(rule, h, dtype="float64"):        # of the worst point
    return float(abs(rule(xp.tanh, x.astype(dtype), h) - slope).max())
# fmt: on

powers = {one_sided: 1, two_sided: 2, five_point: 4}  # how the error falls: with h, h², h⁴
for rule, p in powers.items():
    ratio = error(rule, 0.01) / error(rule, 0.005)
    lesson.promise(f"{rule.__name__}: twice the step, times the error", ratio, low=0.9 * 2**p, high=1.1 * 2**p)

# %% [markdown]
# **Smaller is not better.** A float64 keeps 16 digits, a float32 only 7. The smaller h, the more of these digits
# f(x + h) and f(x - h) share, and their difference is made of the few last ones, which are rounded. With ε for the
# rounding of a number near 1 (2e-16, or 1e-7) that is an error of ε / h, which grows as h shrinks. For a rule with an
# error of h^p, the sum h^p + ε / h is smallest near h = ε^(1/(p+1)), and is about ε^(p/(p+1)) there. No step gets
# such a rule below that. We promise to be within a factor of 4 of both. Plotted against h, the error is a V.

# %%
steps = [10 ** (-k / 4) for k in range(57)]  # from 1 down to 1e-14
curves = {}  # the error at each step
for dtype, epsilon in (("float64", 2**-52), ("float32", 2**-23)):
    for rule, p in powers.items():
        errors = curves[dtype, rule.__name__] = [error(rule, h, dtype) for h in steps]
        best, step = epsilon ** (p / (p + 1)), epsilon ** (1 / (p + 1))  # as expected
        lesson.promise(f"{dtype}, {rule.__name__}: best error", min(errors), low=best / 4, high=best * 4)
        where = steps[errors.index(min(errors))]
        lesson.promise(f"{dtype}, {rule.__name__}: at the step", where, low=step / 4, high=step * 4)

# %% [markdown]
# **The complex step** (Lyness and Moler 1967; Squire and Trapp 1998). Go along the imaginary axis, where i² = -1:
#
#     f(x + i h) = f + i h f' - h²/2 f'' - ...        so  f' ≈ (imaginary part of f(x + i h)) / h, off by h²
#
# Nothing is subtracted, so no digits are lost, and h may be 1e-20. But f must be smooth in the complex numbers, and
# the code must pass them on. Where it does not, the answer may be 0, without a word: abs and norm take the length of
# a complex number, which is real, and an array of real numbers made beforehand drops the imaginary part.


# %%
def complex_step(f, x, h):
    return f(x + 1j * h).imag / h


def through_a_buffer(z):
    y = xp.zeros(z.shape)  # float64
    y[:] = xp.tanh(z)
    return y


for dtype in ("float64", "float32"):
    curves[dtype, "complex_step"] = [error(complex_step, h, dtype) for h in steps]
lesson.promise("complex step, h = 1e-20: error", error(complex_step, 1e-20), high=1e-15)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # NumPy warns of the buffer; of the other two, nobody does
    for f in (xp.abs, xp.linalg.norm, through_a_buffer):
        silent, spoken = (float(abs(rule(f, x, 1e-6)).max()) for rule in (complex_step, two_sided))
        print(f"  {f.__name__}: the complex step says {silent}, two-sided differences say {spoken:.2f}")
        assert silent == 0

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
for (dtype, rule), errors in curves.items():
    ax = axes[int(dtype == "float32")]
    ax.loglog(steps, errors, "--" if rule == "complex_step" else "-", label=rule.replace("_", " "))
    ax.set(title=f"Measuring the slope of tanh in {dtype}", xlabel="step h", ylim=(1e-17, 10))
axes[0].set(ylabel="error, the worst of 200 points")
axes[1].legend(loc="lower right")
lesson.save(figure, "08_step_size.png")

# %% [markdown]
# **Kinks.** relu has no slope at 0: on the left it is 0, on the right 1. No gradient is right there and none wrong, so
# a checker has to leave such points out. How does it notice? Measure with two step sizes, h and h / 2: next to a kink
# they disagree. But *on* it both say 0.5. So look at the *jump*, too: the slope on the right minus that on the left. A
# curve has one, but it halves with h, so that 2 jump(h / 2) - jump(h) is nearly 0. At a kink it is not.

# %%
h = 1e-3
for f, at in ((mg.tanh, 0.5), (mg.relu, 0.5), (mg.relu, h / 4), (mg.relu, 0.0)):
    point = xp.full(1, at)  # (1,), float64
    wide, narrow = float(two_sided(f, point, h)[0]), float(two_sided(f, point, h / 2)[0])
    jumps = [one_sided(f, point, k) - one_sided(f, point, -k) for k in (h, h / 2)]
    left_over = float(abs(2 * jumps[1] - jumps[0])[0])
    kink = abs(wide - narrow) > 1e-4 or left_over > 1e-4
    print(f"  {f.__name__} at {at:<7} {wide:.4f} {narrow:.4f}   jump {left_over:5.2f}   {'KINK' if kink else 'ok'}")
    assert kink == (f is mg.relu and at < h)

# %% [markdown]
# **What comes from above.** An operation has many outputs, a slope is of one number. So a checker makes one number of
# them, sum(dy * y), with some dy in the role of the upstream gradient. The easiest, all ones, is a trap: the outputs
# of softmax add up to 1, whatever x is. The true gradient of their sum is 0, and a backward that returns zeros passes.


# %%
def measured(f, x, dy, h=1e-3):  # the slope of sum(dy * f(x)) at every entry of x: the heart of a checker
    slopes = xp.zeros_like(x)
    for i in xp.ndindex(x.shape):  # (0, 0), (0, 1), ...
        unit = xp.zeros_like(x)
        unit[i] = 1
        slopes[i] = five_point(lambda s, unit=unit: (dy * f(x + s * unit)).sum(), 0.0, h)
    return slopes


x, dy = mg.random.normal((7, 5), dtype="float64"), mg.random.normal((7, 5), dtype="float64")  # (N, C)
y = mg.softmax(x)  # (N, C)
backwards = {
    "right": lambda dy: y * (dy - (dy * y).sum(axis=1, keepdims=True)),
    "zeros": lambda dy: 0 * dy,
    "mean for sum": lambda dy: y * (dy - dy.mean(axis=1, keepdims=True)),
}
for name, d_x in backwards.items():
    ones, random = (float(abs(d_x(up) - measured(mg.softmax, x, up)).max()) for up in (xp.ones_like(dy), dy))
    lesson.promise(f"softmax, {name}: off under ones by", ones, high=1e-11)
    lesson.promise(
        f"softmax, {name}: under random numbers by", random, **{"high": 1e-11} if name == "right" else {"low": 0.01}
    )

# %% [markdown]
# **minigen's checker** does all this: float64, five points with a step fitted to each entry, kinks left out and
# counted, a random upstream gradient. `mg.gradcheck` takes an operation, or a layer with its parameters.
# `mg.check.examine` takes an operation that you wrote, and says *why* it is wrong. Sizes that are different primes
# help it: a factor of 7 is then the batch. Three mistakes: a division left out, softmax's cross terms, x taken for y.


# %%
# fmt: off
class mean_square:
    def forward(x, t): return ((x - t) ** 2).mean()
    def d_x(dy, x, t): return dy * 2 * (x - t)
    d_t = None

class softmax:
    def forward(x): return mg.softmax(x)
    def d_x(dy, y): return dy * y * (1 - y)

class tanh:
    def forward(x): return xp.tanh(x)
    def d_x(dy, x): return dy * (1 - x * x)
# fmt: on

reasons = [mg.check.examine(mean_square, x, dy), mg.check.examine(softmax, x), mg.check.examine(tanh, x)]
print(*reasons, sep="\n\n")
assert [r.explanation for r in reasons] == ["constant ratio", "lost contributions", "derivative"]
print(mg.gradcheck(nn.LSTM(3, 5), mg.random.normal((2, 4, 3))))  # a layer is copied to float64 first
lesson.promise("kinks found", mg.check.examine(mg.relu, xp.concatenate([x[0], xp.zeros(2)])).kinks, low=2, high=2)

# %% [markdown]
# **Break it.** Check in float32, with the step that is good in float64. A slope of tanh that is 0.1 % too large now
# looks no worse than the right one: who accepts the one accepts the other. In float64 they are worlds apart.

# %%
slope = 1 - xp.tanh(x) ** 2  # (N, C)
for dtype, low, high in (("float32", None, 2), ("float64", 1e5, None)):
    judge = two_sided(xp.tanh, x.astype(dtype), 1e-5)  # (N, C)
    right, wrong = (float(abs(share * slope - judge).max()) for share in (1, 1.001))
    lesson.promise(f"{dtype}: error of the wrong slope over that of the right one", wrong / right, low=low, high=high)

# %% [markdown]
# **The exercise**: the two-sided slope of any function, entry by entry, `minigen learn run numerical_gradient`.
#
# **The same in Keras and in PyTorch**, with this lesson's `dy`, and `y`, from which a fitting x is ln y.
#
# ```python
# import torch
# x = torch.tensor(y).log().requires_grad_()  # softmax(ln y) is y
# assert torch.autograd.gradcheck(lambda x: torch.softmax(x, dim=1), x)  # float64, two-sided; raises where wrong
# torch.softmax(x, dim=1).backward(torch.tensor(dy))  # x.grad is backwards["right"](dy)
# ```
#
# ```python
# import keras, numpy as np, tensorflow as tf
# backprop, numeric = tf.test.compute_gradient(keras.ops.softmax, [np.log(y)])  # two Jacobians
# print(np.abs(backprop[0] - numeric[0]).max())
# ```

# %%
lesson.report(args)
