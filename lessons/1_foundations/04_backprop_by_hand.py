"""Backprop by hand

Goal: compute every gradient of a two-layer network by hand, check it in two other ways, and train with it.
Needs: layers as matrices (lesson 1.3), the chain rule.
Time: about 2 s (--quick: the same).
You should see: three times the same gradients; XOR solved, 4 of 4 right, loss below 0.001; a mistake traced.
"""

# %% [markdown]
# **XOR**: answer 1 where exactly one of the two inputs is 1. No straight line separates the ones from the
# zeros, so a single layer cannot do it. Two layers can, with the right weights. To find these we need to
# know how the error changes when a weight changes, for every weight: the *gradients*.

# %%
import minigen as mg
from minigen import lesson, xp  # xp is NumPy, or CuPy with --backend cupy

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

x = mg.asarray([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float64")  # (N, 2), the four questions
t = mg.asarray([[0], [1], [1], [0]], dtype="float64")  # (N, 1), the right answers: targets
N, H = 4, 4  # questions, hidden units
print(f"x {x.shape}, t {t.shape}, {x.dtype}: enough digits to compare gradients closely")

# %% [markdown]
# **Forward.** Four operations in a chain: `dense` (x @ w + b), `tanh`, `dense` again, and `mse`, the mean
# squared error, called one by one on plain arrays. We keep what comes in between: the way back needs it.

# %%
w1 = mg.random.normal((2, H), dtype="float64")  # first layer: from 2 inputs to H hidden units
w2 = mg.random.normal((H, 1), dtype="float64") / H**0.5  # second layer: from H hidden units to 1 answer
b1, b2 = xp.zeros(H), xp.zeros(1)

a = mg.dense(x, w1, b1)  # (N, H)
h = mg.tanh(a)  # (N, H)
y = mg.dense(h, w2, b2)  # (N, 1)
loss = mg.mse(y, t)  # one number
print(f"answers {y.ravel()}, loss {float(loss):.4f}")
assert abs(float(loss) - float(((y - t) ** 2).sum() / N)) < 1e-12  # mse is what its name says

# %% [markdown]
# **Backward.** The chain rule goes back through the chain, one operation at a time. Write dy for *the
# gradient of the loss with respect to y*. Each operation is handed the gradient of its output and returns
# those of its inputs; it need not know the rest of the network.
#
# | operation | gradient | why |
# |---|---|---|
# | `mse` | dy = 2 (y - t) / N | the derivative of the square; 1 / N comes from the mean |
# | `dense` | dw2 = h.T @ dy | weight (i, j) takes h[n, i] into y[n, j], in every row n: add the rows up |
# | | db2 = dy.sum(axis=0) | the bias goes into every row: add the rows up |
# | | dh = dy @ w2.T | what went forward through w2 comes back through it |
# | `tanh` | da = dh * (1 - h * h) | tanh' = 1 - tanh², written in the output h |

# %%
dy = mg.mse.d_x(1.0, y, t, "mean")  # (N, 1); 1.0 is d loss / d loss, where the way back begins
dw2 = mg.dense.d_w(dy, h)  # (H, 1)
db2 = mg.dense.d_b(dy)  # (1,)
dh = mg.dense.d_x(dy, w2)  # (N, H)
da = mg.tanh.d_x(dh, h)  # (N, H)
dw1 = mg.dense.d_w(da, x)  # (2, H)
db1 = mg.dense.d_b(da)  # (H,)

assert bool((da == dh * (1 - h * h)).all())  # no magic: each d_ is the formula in the table
by_hand = [dw1, db1, dw2, db2]
assert [d.shape for d in by_hand] == [w.shape for w in (w1, b1, w2, b2)]  # a slope for every weight
print(f"dw1 (2, {H}) =\n{dw1}")

# %% [markdown]
# **The second way: the engine.** A Tensor remembers the operation it came from, so the engine finds the way
# back by itself, and calls the very same `d_` functions. `mg.backprop` goes step by step: *in* comes the
# gradient of the operation's output, *out* go those of its inputs, each with its formula (where x, w, b are
# the operation's own inputs and y its output). Compare the four steps with the lines above.


# %%
def difference(gradients, reference):  # two lists of arrays -> the largest difference, as a share
    largest = max(float(abs(r).max()) for r in reference)
    return max(float(abs(g - r).max()) for g, r in zip(gradients, reference, strict=True)) / largest


tensors = [mg.tensor(w, requires_grad=True) for w in (w1, b1, w2, b2)]
tw1, tb1, tw2, tb2 = tensors
with mg.watch():  # notes the line of every operation
    engine_loss = mg.mse(mg.dense(mg.tanh(mg.dense(x, tw1, tb1)), tw2, tb2), t)
for step in mg.backprop(engine_loss):
    print(step, end="\n\n")
lesson.promise("by hand and by the engine", difference([w.grad for w in tensors], by_hand), high=1e-12)

# %% [markdown]
# **The third way: no formulas.** A gradient is a slope, so measure it: move one weight a little up, a
# little down, and look at the loss. For a small ε, d loss / d w ≈ (loss(w + ε) - loss(w - ε)) / 2ε.
#
# That takes two forward passes *for each weight*: 34 here, millions in a large network, so nobody trains
# like this. But it uses no formula, so it cannot share a mistake with ours. It is the judge.


# %%
def forward(weights):
    w1, b1, w2, b2 = weights
    h = mg.tanh(mg.dense(x, w1, b1))  # (N, H)
    y = mg.dense(h, w2, b2)  # (N, 1)
    return h, y, mg.mse(y, t)


weights, epsilon = [w1, b1, w2, b2], 1e-5
measured = [xp.zeros_like(w) for w in weights]
for w, slopes in zip(weights, measured, strict=True):
    for i in xp.ndindex(w.shape):  # (0, 0), (0, 1), ...
        before = float(w[i])
        w[i] = before + epsilon
        up = float(forward(weights)[2])
        w[i] = before - epsilon
        down = float(forward(weights)[2])
        w[i] = before  # as it was
        slopes[i] = (up - down) / (2 * epsilon)
lesson.promise("by hand and by measuring", difference(by_hand, measured), high=1e-8)

# %% [markdown]
# **Training.** The gradient points uphill, so step the other way, again and again, with the lines from above.

# %%
rate, steps, weights = 0.2, 400, [w1.copy(), b1.copy(), w2.copy(), b2.copy()]
losses, moments = [], {}  # moments: the weights along the way, for the picture
for step in range(steps + 1):
    if step in (0, 50, steps):
        moments[step] = [w.copy() for w in weights]
    h, y, loss = forward(weights)
    losses.append(float(loss))
    dy = mg.mse.d_x(1.0, y, t, "mean")  # (N, 1)
    da = mg.tanh.d_x(mg.dense.d_x(dy, weights[2]), h)  # (N, H)
    gradients = [mg.dense.d_w(da, x), mg.dense.d_b(da), mg.dense.d_w(dy, h), mg.dense.d_b(dy)]
    for w, gradient in zip(weights, gradients, strict=True):
        w -= rate * gradient
print(f"answers {y.ravel().round(3)}")
lesson.promise("loss", losses[-1], high=0.001)
lesson.promise("right, of 4", ((y > 0.5) == (t > 0.5)).sum(), low=4)

# %% [markdown]
# **What it has learned.** The network also answers for points between the four: red for 1, blue for 0, with a
# black line at 0.5. Training bends the line until every dot, coloured by its target, is on its own side.

# %%
ticks = xp.linspace(-0.5, 1.5, 121)  # (G,)
points = xp.stack(xp.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)  # (G G, 2)
edges, corners, targets = (mg.to_numpy(array) for array in (ticks, x, t))  # matplotlib's are NumPy's
figure, axes = plt.subplots(1, 4, figsize=(12.5, 3.3))
axes[0].semilogy(losses)
axes[0].set(title="Loss", xlabel="step")
for ax, (step, (v1, c1, v2, c2)) in zip(axes[1:], moments.items(), strict=True):
    answers = mg.dense(mg.tanh(mg.dense(points, v1, c1)), v2, c2)  # (G G, 1)
    surface = mg.to_numpy(answers).reshape(121, 121)
    ax.contourf(edges, edges, surface, [i / 10 for i in range(-5, 16)], cmap="RdBu_r", extend="both")
    ax.contour(edges, edges, surface, [0.5], colors="black", linewidths=1)
    ax.scatter(*corners.T, c=targets, cmap="RdBu_r", s=90, edgecolors="white", linewidths=2, zorder=2)
    ax.set(title=f"Answers after {step} steps", xticks=[0, 1], yticks=[0, 1], aspect="equal")
lesson.save(figure, "04_backprop_by_hand.png")

# %% [markdown]
# **Break it.** Forget the slope of tanh, a classic: `da = dh`. All shapes fit and nothing complains. But
# compare with the measured gradients, one array at a time: the second layer's are right, the first layer's
# are wrong. So the check tells *where* the mistake is, too: between the two layers. That is where tanh is.

# %%
h, y, _ = forward([w1, b1, w2, b2])
dy = mg.mse.d_x(1.0, y, t, "mean")  # (N, 1)
da = mg.dense.d_x(dy, w2)  # (N, H); wrong: tanh has been left out
broken = [mg.dense.d_w(da, x), mg.dense.d_b(da), mg.dense.d_w(dy, h), mg.dense.d_b(dy)]
for name, gradient, reference in zip(["w1", "b1", "w2", "b2"], broken, measured, strict=True):
    share = difference([gradient], [reference])
    print(f"  d{name} differs from the measured one by {share:.1e}   {'ok' if share < 1e-6 else 'WRONG'}")
lesson.promise("the mistake, in the first layer", difference(broken[:2], measured[:2]), low=0.01)

# %% [markdown]
# **The exercises**: `minigen learn run dense_weights`, `dense_bias`, `dense_inputs` and `tanh` ask for these lines.
#
# **The same in Keras and in PyTorch**, with this lesson's `x`, `t` and weights as NumPy arrays: dw1 again.
#
# ```python
# import torch
# x, t = torch.tensor(x), torch.tensor(t)
# w1, b1, w2, b2 = (torch.tensor(w, requires_grad=True) for w in (w1, b1, w2, b2))
# loss = torch.nn.functional.mse_loss(torch.tanh(x @ w1 + b1) @ w2 + b2, t)
# loss.backward()
# print(w1.grad)
# ```
#
# ```python
# import keras
# import tensorflow as tf
# keras.backend.set_floatx("float64")
# layers = [keras.Input((2,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)]
# model = keras.Sequential(layers)
# model.set_weights([w1, b1, w2, b2])
# with tf.GradientTape() as tape:
#     loss = tf.reduce_mean((model(x) - t) ** 2)
# print(tape.gradient(loss, model.trainable_variables)[0])
# ```

# %%
lesson.report(args)
