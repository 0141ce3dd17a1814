"""The LSTM: a network that remembers

Goal: build an LSTM gate by gate, watch the gates of a trained one, and let it remember over 100 steps.
Needs: a recurrent network by hand (lesson 3.1), cross-entropy (lesson 1.6).
Time: about 1 min on two cores (--quick: 4 s, over 20 steps).
You should see: gates that open at the marked numbers. The adding problem: always answering the mean has an error of
    0.167; RNNs stay above 0.14, the LSTM comes below 0.02. The copy problem: a guess costs ln 8 = 2.08 nats a symbol;
    the RNN stays above 1.2, the LSTM comes below 0.3. (A special start helps an RNN to copy, not to add.)
"""

# %% [markdown]
# A recurrent network's state goes through a matrix at every step, and so does the gradient on its way back: it vanishes
# or explodes. The **LSTM**, *long short-term memory* (Hochreiter and Schmidhuber, 1997), has a second state, the
# memory c, which goes through no matrix. Three **gates**, numbers between 0 and 1 for each unit, control it:
#
# | g = tanh(...) | candidate | what could be written into the memory |
# |---|---|---|
# | i = sigmoid(...) | input gate | the share of g that is written |
# | f = sigmoid(...) | forget gate (Gers, Schmidhuber and Cummins, 2000) | the share of the old memory that stays |
# | o = sigmoid(...) | output gate | the share of the memory that is shown: h = o tanh(c) |
#
# All four are made from the input and the state h, each with weights of its own: the dots stand for x w_x + h w_h + b.

# %%
import numpy as np

import minigen as mg
from minigen import lesson, nn, optim, xp  # xp is NumPy, or CuPy with --backend cupy

args = lesson.arguments(__doc__)
plt = lesson.pyplot()


def lstm_step(x, h, c, w_x, w_h, b):  # x (N, D), h and c (N, H), w_x (D, 4H), w_h (H, 4H), b (4H,)
    i, f, g, o = xp.split(x @ w_x + h @ w_h + b, 4, axis=1)  # (N, H) each, in this order
    i, f, g, o = mg.sigmoid(i), mg.sigmoid(f), mg.tanh(g), mg.sigmoid(o)
    c = f * c + i * g  # (N, H): forget, then write
    return o * mg.tanh(c), c, (i, f, g, o)


# %% [markdown]
# **A toy.** At each step comes a number, and sometimes a mark. The answer is always the last marked number. One unit is
# enough, and can be watched. (It starts from small weights: from larger ones it may learn the positive numbers only.)


# %%
def marked_numbers(n, T=20):  # -> numbers and marks (n, T, 2), answers (n, T, 1)
    number, mark = mg.random.uniform((n, T), -1, 1), mg.random.uniform((n, T)) < 0.15  # (n, T), (n, T)
    answers = [xp.zeros(n, dtype="float32")]
    for t in range(T):
        answers.append(xp.where(mark[:, t], number[:, t], answers[-1]))  # (n,)
    return xp.stack([number, mark.astype("float32")], axis=2), xp.stack(answers[1:], axis=1)[:, :, None]


lstm, readout = nn.LSTM(2, 1), nn.Dense(1, 1)  # 2 inputs, H = 1
for parameter in lstm.parameters():
    parameter.data *= 0.1
adam = optim.Adam(lstm.parameters() + readout.parameters(), lr=0.03)
for _ in lesson.progress(range(600), "toy"):
    x, target = marked_numbers(32)  # (N, T, 2), (N, T, 1)
    hs, _ = lstm(x)  # (N, T, H)
    loss = mg.mse(readout(hs), target)
    adam.zero_grad()
    loss.backward()
    optim.clip_grad_norm(adam.params, 1.0)
    adam.step()

# %% [markdown]
# Our own step gives what the engine gives, and shows the gates: at a mark the input gate opens and the forget gate
# nearly closes; between marks it is the other way round. The output gate stays open: the answer is wanted at each step.

# %%
x, target = marked_numbers(256)  # (N, T, 2), (N, T, 1)
hs, (_, c_n) = lstm(x)
lesson.promise("toy: error", mg.mse(readout(hs), target).item(), high=0.02)
w_x, w_h, b = (p.data for p in lstm.parameters())  # (2, 4H), (H, 4H), (4H,)
h = c = xp.zeros((256, 1), dtype="float32")  # (N, H)
seen = []
for t in range(x.shape[1]):
    h, c, gates = lstm_step(x[:, t], h, c, w_x, w_h, b)
    seen.append(xp.stack([*gates, c]))  # (5, N, H)
lesson.promise("our LSTM and the engine's, largest difference", abs(c_n.data[0] - c).max(), high=1e-4)
i, f, g, o, cs = mg.to_numpy(xp.stack(seen, axis=2))[..., 0]  # (N, T) each
numbers, marked = mg.to_numpy(x)[:, :, 0], mg.to_numpy(x)[:, :, 1] > 0  # (N, T) each
lesson.promise("input gate at a mark, more than elsewhere by", i[marked].mean() - i[~marked].mean(), low=0.5)
lesson.promise("forget gate at a mark, less than elsewhere by", f[~marked].mean() - f[marked].mean(), low=0.5)

# %%
row = int(np.argmin(abs(marked[:, 3:].sum(axis=1) - 3) + marked[:, :3].sum(axis=1)))  # one with three marks
places, steps = np.flatnonzero(marked[row]), range(marked.shape[1])
figure, axes = plt.subplots(3, 1, figsize=(8, 6.4), sharex=True)
axes[0].plot(numbers[row], "o", color="lightgray", label="number")
axes[0].plot(places, numbers[row, places], "o", label="marked number")
axes[0].step(steps, mg.to_numpy(target)[row, :, 0], where="post", color="black", linewidth=1, label="answer")
for name, gate in {"i, input gate": i, "f, forget gate": f, "o, output gate": o}.items():
    axes[1].plot(gate[row], ".-", label=name)
axes[2].plot(g[row], ".-", label="g, candidate")
axes[2].plot(cs[row], ".-", color="black", label="c, memory")
axes[2].set(xlabel="step", xticks=steps)
for ax in axes:
    ax.vlines(places, 0, 1, transform=ax.get_xaxis_transform(), color="gray", linestyle=":", linewidth=1)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
lesson.save(figure, "02_lstm_gates.png")

# %% [markdown]
# **How long does it remember?** After k steps f^k of what was written is left in c; along c, the gradient fades on its
# way back in the same way. With its bias at 0 a forget gate starts near sigmoid(0) = 0.5, and 0.5^100 is 8e-31. The
# usual bias of 1 (Jozefowicz, Zaremba and Sutskever, 2015) makes it 0.73^100 = 2e-14: still too little. A bias of ln n
# makes f = n / (n + 1), and the memory lasts for about n steps. So each unit gets an n of its own, from 1 to T, and its
# input gate the opposite bias (after Tallec and Ollivier, 2018; we spread ln n evenly, they spread n).
#
# **Two problems** (after Hochreiter and Schmidhuber, 1997). *Adding*: T numbers from 0 to 1, two of them marked; at the
# end, answer their sum. Always answering 1, the mean, has the error 1/6: twice the variance of such a number. *Copy*: 2
# symbols out of 8, then T blanks, then recall the two in their order. A guess costs ln 8 nats a symbol.

# %%
T, size = (20, 32) if args.quick else (100, 64)


def patient_lstm(D):
    network, bias = nn.LSTM(D, size), mg.random.uniform((size,), 0, float(np.log(T)))  # (H,): ln n
    network.cells[0].b.data = xp.concatenate([-bias, bias, xp.zeros(2 * size, dtype="float32")])  # of i, f, g and o
    return network


def adding(n):  # -> numbers and marks (n, T, 2), sums (n, 1)
    number, places = mg.random.uniform((n, T)), (mg.random.uniform((n, 2)) * (T // 2)).astype("int64")  # (n, T), (n, 2)
    mark = (xp.arange(T) == places[:, :1]) | (xp.arange(T) == T // 2 + places[:, 1:])  # (n, T): one in each half
    return xp.stack([number, mark.astype("float32")], axis=2), (number * mark).sum(axis=1, keepdims=True)


def copy(n):  # -> one-hot rows (n, 2 + T + 2, 10), symbols (n, 2)
    symbols = (mg.random.uniform((n, 2)) * 8).astype("int64")  # (n, 2)
    blanks, recall = xp.full((n, T), 8), xp.full((n, 2), 9)  # (n, T), (n, 2); 9 says: now
    return xp.eye(10, dtype="float32")[xp.concatenate([symbols, blanks, recall], axis=1)], symbols


# %% [markdown]
# **Training**, for the LSTM and for two RNNs: one with the usual start, one with an *orthogonal* w_h, which keeps every
# length: its spectral radius is 1. (The RNNs need a smaller learning rate.) A state that is only rotated keeps what it
# holds as long as nothing else comes in, so this one may learn to copy (Henaff, Szlam and LeCun, 2016). But in *adding*
# a number comes at every step: the network has to choose what to let in, and for that an RNN has no gate.


# %%
def error(task, network, readout, n):
    x, target = task(n)
    hs, _ = network(x)  # (n, T, H)
    if task is adding:
        return mg.mse(readout(hs[:, -1]), target)
    return mg.cross_entropy(readout(hs[:, -2:]).reshape(-1, 8), target.reshape(-1))  # of two answers: (2n, 8)


def train(task, name, network, lr):
    readout, curve = nn.Dense(size, 1 if task is adding else 8), []
    adam = optim.Adam(network.parameters() + readout.parameters(), lr=lr)
    length = 500 if args.quick else 1500 if task is adding else 2500
    for _ in lesson.progress(range(length), f"{task.__name__}, {name}"):
        loss = error(task, network, readout, 32)
        adam.zero_grad()
        loss.backward()
        optim.clip_grad_norm(adam.params, 1.0)
        adam.step()
        curve.append(loss.item())
    with mg.no_grad():
        return curve, error(task, network, readout, 1000).item()  # on sequences it has not seen


# %%
results = {}  # (task, network) -> its curve, its error in the end
for task, D, low, high in ((adding, 2, (0.14, 0.14), 0.02), (copy, 10, (1.2, None), 1.5 if args.quick else 0.3)):
    rnns = {"RNN": nn.RNN(D, size), "RNN, orthogonal": nn.RNN(D, size, init=nn.init.orthogonal)}
    for (name, rnn), bound in zip(rnns.items(), low, strict=True):
        results[task, name] = train(task, name, rnn, 0.001)
        lesson.promise(f"{task.__name__}: {name}", results[task, name][1], low=None if args.quick else bound)
    results[task, "LSTM"] = train(task, "LSTM", patient_lstm(D), 0.01)
    lesson.promise(f"{task.__name__}: LSTM", results[task, "LSTM"][1], high=high)

# %% [markdown]
# On *copy* the LSTM's curve may rest at (7/8) ln 2 = 0.61: the cost of knowing both symbols (equal in 1 case of 8) but
# not their order. A slow memory adds things up, and a sum has no order. Then the gates learn to keep the two apart.

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 3.8))
for (task, network), (curve, _) in results.items():
    smooth = np.convolve(curve, np.ones(25) / 25, mode="valid")  # the mean of 25 steps
    axes[0 if task is adding else 1].plot(smooth, label=network)
axes[0].axhline(1 / 6, color="black", linestyle="--", linewidth=1, label="always the mean")
axes[0].set(title=f"Adding, {T} steps", xlabel="step of training", ylabel="squared error", ylim=(0, 0.4))
axes[1].axhline(np.log(8), color="black", linestyle="--", linewidth=1, label="a guess")
axes[1].axhline(7 / 8 * np.log(2), color="gray", linestyle=":", label="both symbols, not their order")
axes[1].set(title=f"Copy, {T} blanks", xlabel="step of training", ylabel="nats per symbol", ylim=(0, 4.5))
for ax in axes:
    ax.legend(loc="upper right")
lesson.save(figure, "02_lstm_problems.png")

# %% [markdown]
# **Break it.** Start the LSTM with the usual forget-gate bias of 1. What share of the gradient reaches the first of 100
# steps? A millionth or less; with ln n, about a hundredth. (It may still learn, but later, and by luck.)

# %%
T, usual, shares = 100, nn.LSTM(2, size), []  # 100 steps with --quick, too
usual.cells[0].b.data = xp.repeat(xp.asarray([0, 1, 0, 0], dtype="float32"), size)  # of i, f, g and o
for name, network in {"RNN": nn.RNN(2, size), "LSTM, bias 1": usual, "LSTM, bias ln n": patient_lstm(2)}.items():
    sequence = mg.tensor(adding(100)[0], requires_grad=True)  # (100, T, 2): its own gradient tells
    network(sequence)[0][:, -1].sum().backward()
    shares.append(float(abs(sequence.grad[:, 0]).mean() / abs(sequence.grad[:, -1]).mean()))
    print(f"{name}: {shares[-1]:.0e} of the gradient reaches the first of {T} steps")
lesson.promise("bias ln n, times as much as bias 1", shares[2] / shares[1], low=100)

# %% [markdown]
# **Exercises**: `minigen learn run lstm_step`, `lstm_backward`.
#
# **The same in Keras and in PyTorch**: the toy's final memory, with its `x` and weights as NumPy arrays.
#
# ```python
# import torch
# lstm = torch.nn.LSTM(2, 1, batch_first=True)  # the gates in the same order; its weights are transposed: (4H, D)
# lstm.weight_ih_l0.data, lstm.weight_hh_l0.data = torch.tensor(w_x.T), torch.tensor(w_h.T)
# lstm.bias_ih_l0.data, lstm.bias_hh_l0.data = torch.tensor(b), torch.zeros(4)  # it has two
# hs, (h_n, c_n) = lstm(torch.tensor(x))
# ```
#
# ```python
# import keras
# lstm = keras.layers.LSTM(1, return_sequences=True, return_state=True)  # the gates in the same order, too
# lstm.build(x.shape)
# lstm.set_weights([w_x, w_h, b])  # Keras itself starts with a forget-gate bias of 1
# hs, h_n, c_n = lstm(x)
# ```

# %%
lesson.report(args)
