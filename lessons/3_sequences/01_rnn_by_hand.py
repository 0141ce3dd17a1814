"""A recurrent network by hand

Goal: take the gradient of a recurrent network back through time by hand; see it vanish, explode, and be clipped.
Needs: backprop by hand (lesson 1.4), optimisers (lesson 1.6).
Time: about 3 s (--quick: 2 s).
You should see: the same gradients by hand and by the engine; an echo learnt where the gradient reaches far enough
    back (error below 0.05), and not where it does not (above 0.6); a gradient that is multiplied by about 0.8, or 1.25,
    at each step; a training that blows up, and one with clipping that does not (error below 0.15).
"""

# %% [markdown]
# A *sequence* is data in an order: letters, notes, measurements. A **recurrent network** (RNN; Elman, 1990) reads
# it step by step and keeps a *state* h, H numbers that are all it knows of the past. Each step makes the new state
# from the new input and the old state, always with the same weights: h_t = tanh(x_t w_x + h_{t-1} w_h + b).
# Our first task needs a memory. **Echo**: the input is a row of random signs, +1 or -1, and the answer at each step
# is the sign from two steps ago.

# %%
import numpy as np

import minigen as mg
from minigen import lesson, optim, xp  # xp is NumPy, or CuPy with --backend cupy

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

N, T, H, delay = 4, 8, 5, 2  # sequences, steps, numbers in the state, how far back the answer lies
x = xp.sign(mg.random.normal((N, T, 1), dtype="float64"))  # (N, T, 1), one number a step
target = xp.concatenate([xp.zeros((N, delay, 1)), x[:, :-delay]], axis=1)  # (N, T, 1)
print("input ", *[f"{v:+.0f}" for v in x[0, :, 0].tolist()])
print("answer", *[f"{v:+.0f}" for v in target[0, :, 0].tolist()])

# %% [markdown]
# **Forward.** *Unrolled*, it is a network of T layers that share their weights. A dense layer makes y_t from h_t.

# %%
w_x = mg.random.normal((1, H), dtype="float64")  # (1, H)
w_h = mg.random.normal((H, H), dtype="float64") / H**0.5  # (H, H)
w_y = mg.random.normal((H, 1), dtype="float64") / H**0.5  # (H, 1)
b, b_y, h0 = xp.zeros(H), xp.zeros(1), xp.zeros((N, H))  # h0 (N, H): the state before the first step

h, states = h0, []
for t in range(T):
    h = mg.tanh(x[:, t] @ w_x + h @ w_h + b)  # (N, H)
    states.append(h)
hs = xp.stack(states, axis=1)  # (N, T, H)
y = hs @ w_y + b_y  # (N, T, 1)
loss = ((y - target) ** 2).mean()
print(f"loss {float(loss):.4f}")

# %% [markdown]
# **Backward**: *backpropagation through time* (Werbos, 1990). The state h_t has two readers, the answer y_t and the
# next step, so it gets the sum of two gradients. The second, `dh`, comes from the future: so the loop runs backwards,
# and `dh` is 0 at first. Every step uses the same weights: their gradients add up over the steps.

# %%
dy = 2 * (y - target) / y.size  # (N, T, 1)
d_above = dy @ w_y.T  # (N, T, H): what each state gets from its answer
dw_x, dw_h, db, dh = xp.zeros_like(w_x), xp.zeros_like(w_h), xp.zeros_like(b), xp.zeros_like(h0)
for t in reversed(range(T)):
    before = hs[:, t - 1] if t > 0 else h0  # (N, H): the state that step t began with
    da = (d_above[:, t] + dh) * (1 - hs[:, t] ** 2)  # (N, H): from above and from the future, through tanh
    dw_x += x[:, t].T @ da
    dw_h += before.T @ da
    db += da.sum(axis=0)
    dh = da @ w_h.T  # (N, H): on to the step before
dw_y, db_y = xp.einsum("nth,nto->ho", hs, dy), dy.sum(axis=(0, 1))  # (H, 1), (1,)

# %%
by_hand = [dw_x, dw_h, db, dw_y, db_y]
tensors = [mg.tensor(w, requires_grad=True) for w in (w_x, w_h, b, w_y, b_y)]
engine_hs = mg.rnn(x, h0, *tensors[:3])  # (N, T, H): all the steps are one operation of the engine
mg.mse(engine_hs @ tensors[3] + tensors[4], target).backward()
gap = max(float(abs(w.grad - d).max()) for w, d in zip(tensors, by_hand, strict=True))
lesson.promise("by hand and by the engine, largest difference", gap, high=1e-12)

# %% [markdown]
# **Truncated.** A book has a million letters: nobody unrolls it whole. So cut the sequence into pieces of K steps. The
# state is carried from piece to piece, but as a plain array: the gradient stops at the cut (Williams and Peng, 1990).
# So no gradient ever says "keep this for later" across a cut: nothing *trains* a memory that is longer than a piece.
# What does that cost, for an echo from 10 steps ago? A network that knows nothing answers 0: error 1.

# %%
losses = {}  # K -> its error at each step of training
for K in (1, 4, 8, 16, 32):
    mg.random.seed(args.seed)
    start = {(1, 16): 0.5, (16, 16): 0.7 / 4, (16,): 0.0, (16, 1): 0.25, (1,): 0.0}  # shape -> size
    weights = [mg.tensor(size * mg.random.normal(shape), requires_grad=True) for shape, size in start.items()]
    adam, losses[K] = optim.Adam(weights, lr=0.01), []
    h, past = xp.zeros((16, 16), dtype="float32"), xp.zeros((16, 10, 1), dtype="float32")  # (N, H), (N, 10, 1)
    for _ in range(600):
        signs = xp.concatenate([past, xp.sign(mg.random.normal((16, K, 1)))], axis=1)  # (N, 10 + K, 1)
        past = signs[:, K:]
        echo_hs = mg.rnn(signs[:, 10:], h, *weights[:3])  # (N, K, H)
        loss = mg.mse(echo_hs @ weights[3] + weights[4], signs[:, :K])  # what came 10 steps before the new signs
        adam.zero_grad()
        loss.backward()
        adam.step()
        h = echo_hs.data[:, -1].copy()  # the cut: an array, so the engine sees no past
        losses[K].append(loss.item())
errors = {K: np.mean(curve[-30:]) for K, curve in losses.items()}  # of the last 30 steps
lesson.promise("best error for pieces of at most 8 steps", min(errors[1], errors[4], errors[8]), low=0.6)
lesson.promise("worst error for longer ones", max(errors[16], errors[32]), high=0.05)

# %% [markdown]
# **Vanishing and exploding.** At each step back, the gradient is multiplied by w_h.T and by the slopes of tanh. Without
# the slopes, what matters is the *spectral radius* of w_h, the largest absolute value among its eigenvalues. In the
# long run the gradient changes by this factor *per step*: 0.8 leaves 2e-10 of it after 100 steps, 1.25 makes it 5e9
# times as long (Hochreiter, 1991; Bengio, Simard and Frasconi, 1994). The slopes of tanh are at most 1: they make the
# vanishing worse, and tame some of the exploding.

# %%
radii, size, long = (0.5, 0.8, 1.0, 1.25, 2.0), 32, 100
matrix = mg.random.normal((size, size), dtype="float64")  # (H, H)
matrix /= float(np.abs(np.linalg.eigvals(mg.to_numpy(matrix))).max())  # its spectral radius is 1 now
pushes = 0.5 * mg.random.normal((long, 16, size), dtype="float64")  # (T, N, H), what the inputs add at each step
norms = {}  # (radius, with tanh?) -> the gradient's length, k steps back
for radius in radii:
    w, h, slopes = radius * matrix, xp.zeros((16, size)), []  # (H, H), (N, H)
    for push in pushes:
        h = mg.tanh(push + h @ w)  # (N, H)
        slopes.append(1 - h * h)
    for with_tanh in (False, True):
        d, norms[radius, with_tanh] = xp.ones((16, size)), []  # (N, H): the gradient that arrives at the last step
        for slope in reversed(slopes):
            norms[radius, with_tanh].append(float((d * d).mean()) ** 0.5)
            d = (d * slope if with_tanh else d) @ w.T
for radius in (0.8, 1.25):
    rate = (norms[radius, False][99] / norms[radius, False][49]) ** (1 / 50)
    lesson.promise(f"factor per step, spectral radius {radius}", rate, low=0.96 * radius, high=1.04 * radius)

# %%
figure, axes = plt.subplots(1, 3, figsize=(13, 3.8))
for ax, with_tanh in zip(axes[:2], (False, True), strict=True):
    for radius in radii:
        ax.semilogy(norms[radius, with_tanh], label=f"radius {radius:g}")
    title = "With the slopes of tanh" if with_tanh else "Without the slopes of tanh"
    ax.set(title=title, xlabel="steps back in time", ylim=(1e-16, 1e16))
axes[0].set(ylabel="length of the gradient")
axes[1].legend()
axes[2].bar([str(K) for K in errors], list(errors.values()))
axes[2].axvline(2.5, color="black", linestyle="--", linewidth=1)
axes[2].set(title="An echo from 10 steps ago", xlabel="steps in a piece, K", ylabel="error after training")
axes[2].text(2.6, 0.9, "the gradient\nreaches 10 back")
lesson.save(figure, "01_rnn_gradients.png")

# %% [markdown]
# **Blowing up.** Now train. **Latch**: answer with the first sign, after 39 steps of noise. From spectral radius 2 a
# gradient can be thousands of times longer than usual, and one step with it throws the weights far away. From 0.5
# nothing blows up, but the gradient of the first sign vanishes: nothing is learnt. The cure for the first is *gradient
# clipping* (Pascanu, Mikolov and Bengio, 2013): all gradients together are one vector; if it is longer than 1, shorten
# it to 1.


# %%
def train(radius, longest):
    mg.random.seed(args.seed)
    w_h = mg.random.normal((32, 32))  # (H, H)
    w_h *= radius / float(np.abs(np.linalg.eigvals(mg.to_numpy(w_h))).max())
    arrays = [0.5 * mg.random.normal((1, 32)), w_h, xp.zeros(32), mg.random.normal((32, 1)) / 32**0.5, xp.zeros(1)]
    w_x, w_h, b, w_y, b_y = weights = [mg.tensor(a.astype("float32"), requires_grad=True) for a in arrays]
    sgd, losses, lengths = optim.SGD(weights, lr=0.1), [], []
    for _ in range(150 if args.quick else 400):
        signs = xp.sign(mg.random.normal((32, 40, 1)))  # (N, T, 1)
        signs[:, 1:] *= 0.3  # all but the first are noise
        hs = mg.rnn(signs, xp.zeros((32, 32), dtype="float32"), w_x, w_h, b)  # (N, T, H)
        loss = mg.mse(hs[:, -1] @ w_y + b_y, signs[:, 0])
        sgd.zero_grad()
        loss.backward()
        lengths.append(optim.clip_grad_norm(weights, longest))  # it returns the length from before
        sgd.step()
        losses.append(loss.item())
        if not losses[-1] < 1e6:
            break  # blown up
    return losses, lengths


# %%
runs = {"radius 2": train(2.0, 1e30), "radius 2, clipped to 1": train(2.0, 1.0), "radius 0.5": train(0.5, 1e30)}
blown, clipped, deaf = (losses for losses, _ in runs.values())
lesson.promise("worst error without clipping", max(blown), low=1e4)
lesson.promise("error when clipped", np.mean(clipped[-20:]), high=0.15)
lesson.promise("error from radius 0.5", np.mean(deaf[-20:]), low=0.8)

figure, axes = plt.subplots(1, 2, figsize=(11, 3.8))
for name, (curve, lengths) in runs.items():
    axes[0].semilogy(curve, label=name)
    axes[1].semilogy(lengths, label=name)
axes[0].set(title="Latch: error", xlabel="step of training", ylabel="squared error")
axes[1].set(title="Length of the gradient, before clipping", xlabel="step of training", ylabel="length")
axes[1].legend()
lesson.save(figure, "01_rnn_clipping.png")

# %% [markdown]
# **Break it.** Leave the future out of da: `d_above[:, t] * ...`. Shapes fit, nothing complains, and dw_y is still
# right. But dw_h is not: it is the truncated one, for pieces of a single step.

# %%
broken = xp.zeros_like(w_h)
for t in range(1, T):
    broken += hs[:, t - 1].T @ (d_above[:, t] * (1 - hs[:, t] ** 2))
share = float(((broken - dw_h) ** 2).sum() / (dw_h**2).sum()) ** 0.5
lesson.promise("the broken dw_h is wrong by the share", share, low=0.02)

# %% [markdown]
# **Exercises**: `minigen learn run rnn_step`, `rnn_through_time`, `gradient_clipping`.
#
# **The same in Keras and in PyTorch**, with the first `x`, `target` and weights as NumPy arrays: dw_h again.
#
# ```python
# import torch
# rnn = torch.nn.RNN(1, 5, batch_first=True, dtype=torch.float64)  # its weights are transposed: (H, D), (H, H)
# rnn.weight_ih_l0.data, rnn.weight_hh_l0.data = torch.tensor(w_x.T), torch.tensor(w_h.T)
# rnn.bias_ih_l0.data, rnn.bias_hh_l0.data = torch.tensor(b), torch.zeros(5, dtype=torch.float64)  # it has two
# hs, _ = rnn(torch.tensor(x))
# y = hs @ torch.tensor(w_y) + torch.tensor(b_y)
# torch.nn.functional.mse_loss(y, torch.tensor(target)).backward()
# print(rnn.weight_hh_l0.grad.T)
# ```
#
# ```python
# import keras
# rnn = keras.layers.SimpleRNN(5, return_sequences=True, dtype="float64")
# rnn.build(x.shape)
# rnn.set_weights([w_x, w_h, b])
# hs = rnn(x)  # the states; its gradients by the tape of lesson 1.4
# ```

# %%
lesson.report(args)
