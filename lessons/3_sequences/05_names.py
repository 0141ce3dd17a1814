"""Names: RNN, GRU and LSTM compared

Goal: let three recurrent networks invent words or names, and compare them on those they have not seen.
Needs: the LSTM (lesson 3.2), numbers in words (3.4).
Time: about 30 s on two cores (--quick: 5 s; --data names: 2 min).
You should see: with words of Python's manual, RNN below 2.05 nats per letter, GRU and LSTM below 1.95, where letter
    frequencies cost 2.9. With --data names: RNN below 2.06, GRU below 2.05, LSTM below 2.03.

    minigen run names --data names                 names; --once 1: each only once
    minigen run names --text FILE                  any list, one entry a line
"""

# %% [markdown]
# A list of names teaches which letters go together, and a network that has learned it invents new ones. It is a
# favourite little problem (Karpathy's makemore, 2022), and a fair place to compare the three recurrent networks:
#
# | | state | a step |
# |---|---|---|
# | RNN (Elman, 1990) | h | h = tanh(x w_x + h w_h + b) |
# | GRU (Cho et al., 2014) | h | h = (1 - z) n + z h: n, the candidate, sees the share r of h; r and z are gates |
# | LSTM (Hochreiter and Schmidhuber, 1997) | h, c | c = f c + i g, h = o tanh(c) |

# %%
import math
import re

import numpy as np

import minigen as mg
from minigen import data, lesson, nn, optim, xp  # xp is NumPy, or CuPy with --backend cupy

args = lesson.arguments(__doc__, data=("words", "names"), text="", once=0)
plt = lesson.pyplot()

try:
    if args.data == "words" and not args.text:  # each word of the manual once
        words = sorted(set(re.findall("[a-z]{3,15}", data.manual_prose().lower())))
    else:
        words = [line.strip() for line in data.text(args.text or args.data).splitlines() if line.strip()]
except (OSError, ValueError) as error:
    raise SystemExit(f"{error}") from None
words = sorted(set(words)) if args.once else words
if len(words) < 100:
    raise SystemExit(f"{args.text} has {len(words)} entries, one a line; it wants at least 100 to learn from")

# %% [markdown]
# **Three parts.** Shuffle. 8 in 10 are for *training*. 1 in 10 is for *validation*: we look at it while we choose and
# tune. The last is the *test*: measured once, in the end. What has been chosen by a number is no longer measured fairly
# by it. And mind repeats: a name that stands twice in the list can be in training and in the test.

# %%
order = np.random.default_rng(args.seed).permutation(len(words))
words = [words[i] for i in order.tolist()][: 2000 if args.quick else None]
tenth = len(words) // 10
train, validation, test = slice(0, -2 * tenth), slice(-2 * tenth, -tenth), slice(-tenth, None)
learned = set(words[train])
seen_before = np.mean([word in learned for word in words[test]])
print(f"{len(words):,} entries, as {words[0]!r}; {seen_before:.0%} of the test are in training, too")

# %% [markdown]
# **A table**, as in lesson 3.4: a row for each word, with the line end, id 0, for the start, the end and the padding.
# The mask says which targets count. The first number to beat: guess each letter by how often it comes, no more.

# %%
characters = "\n" + "".join(sorted(set("".join(words))))
V, longest = len(characters), max(map(len, words))
position = {c: i for i, c in enumerate(characters)}
table = np.zeros((len(words), longest + 2), dtype="int64")  # (n, T + 1)
for row, word in zip(table, words, strict=True):
    row[1 : len(word) + 1] = [position[c] for c in word]
counts = np.arange(longest + 1) <= np.array([[len(word)] for word in words])  # (n, T): the letters, and the end
ids, mask = xp.asarray(table), xp.asarray(counts, dtype="float32")  # (n, T + 1), (n, T)

frequency = np.bincount(table[train, 1:][counts[train]], minlength=V) + 0.1  # (V,)
by_frequency = -np.log(frequency / frequency.sum())[table[test, 1:][counts[test]]].mean()
lesson.promise("test nats, by letter frequencies", by_frequency)

# %% [markdown]
# **The model** is that of the lessons before, with any of the three in its middle, 128 numbers wide. The GRU has three
# times the RNN's weights in there, the LSTM four times.


# %%
class CharacterModel(nn.Module):
    def __init__(self, network):
        self.embedding, self.network, self.readout = nn.Embedding(V, 32), network(32, 128), nn.Dense(128, V)
        self.dropout = nn.Dropout(0.1)

    def forward(self, ids, state=None):  # (n, T)
        hs, state = self.network(self.embedding(ids), state)  # (n, T, 32) -> (n, T, 128)
        return self.readout(self.dropout(hs)), state  # (n, T, V)


def nats(model, ids, mask, shift=1):  # (n, T + 1), (n, T) -> the sum over what the mask lets through, and how many
    T = int(mask.sum(axis=1).max())  # the longest of these
    x, target = ids[:, shift - 1 : T + shift - 1], ids[:, 1 : T + 1]  # (n, T) each
    each = mg.cross_entropy(model(x)[0], target, reduction="none")  # (n, T)
    return (each * mask[:, :T]).sum(), float(mask.sum())


def mean_nats(model, part, shift=1):
    model.eval()
    with mg.no_grad():
        total, count = nats(model, ids[part], mask[part], shift)
    return total.item() / count


# %% [markdown]
# **Training**, the same for all: 64 at a time, Adam down half a cosine, gradients clipped.

# %%
epochs = 2 if args.quick else max(8, min(20, 100_000 // len(words)))  # the more, the shorter the list


def fit(network, shift=1):  # -> the model, and its nats on the validation part after each epoch
    mg.random.seed(args.seed)
    model, chance = CharacterModel(network), np.random.default_rng(args.seed)
    n, curve = len(words) - 2 * tenth, []
    adam = optim.Adam(model.parameters(), lr=0.005)
    schedule = optim.CosineLR(adam, steps=epochs * math.ceil(n / 64))
    for _ in lesson.progress(range(epochs), network.__name__):
        shuffled = chance.permutation(n)
        model.train()
        for start in range(0, n, 64):
            batch = shuffled[start : start + 64].tolist()
            total, count = nats(model, ids[batch], mask[batch], shift)
            adam.zero_grad()
            (total / count).backward()
            optim.clip_grad_norm(model.parameters(), 1.0)
            adam.step()
            schedule.step()
        curve.append(mean_nats(model, validation, shift))
    return model, curve


# %%
def write(model, n):  # -> n words, as in lesson 3.4
    last, state, columns = xp.zeros((n, 1), dtype="int64"), None, []
    with mg.no_grad():
        for _ in range(longest + 5):
            scores, state = model(last, state)  # (n, 1, V)
            ends = mg.softmax(scores.data[:, 0]).cumsum(axis=1)  # (n, V), the last about 1
            dart = mg.random.uniform((n, 1)) * ends[:, -1:]  # (n, 1)
            last = (ends > dart).argmax(axis=1)[:, None]  # (n, 1): the first that ends beyond the dart
            columns.append(last)
    rows = mg.to_numpy(xp.concatenate(columns, axis=1))  # (n, longest + 5)
    return ["".join(characters[i] for i in row).partition("\n")[0] for row in rows]


# %%
bounds = {"words": (2.05, 1.95, 1.95), "names": (2.06, 2.05, 2.03)}[args.data]
if args.text or args.once:
    bounds = (by_frequency,) * 3  # of a list of one's own, or a harder one, less is known
models, curves, tests = {}, {}, {}
for network, high in zip((nn.RNN, nn.GRU, nn.LSTM), bounds, strict=True):
    kind = network.__name__
    models[kind], curves[kind] = fit(network)
    tests[kind] = mean_nats(models[kind], test)
    size = sum(p.size for p in models[kind].parameters())
    invented = write(models[kind], 1000)
    new = sum(word not in learned for word in invented) / 1000
    print(f"{kind}: {size:,} parameters, {new:.0%} new: {', '.join(invented[:10])}")
    lesson.promise(f"test nats per character, {kind}", tests[kind], high=by_frequency if args.quick else high)

# %% [markdown]
# The gates gain a tenth of a nat or so (in part, perhaps, by their larger number of weights). Nothing has to be
# remembered for long here; in lesson 3.2, where it had to be, the RNN failed. And mind the size of the test: another
# draw of a few hundred words would change the numbers by some hundredths.

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8))
for kind, curve in curves.items():
    axes[0].plot(range(1, len(curve) + 1), curve, "o-", label=kind)
axes[0].set(title="Validation", xlabel="epoch", ylabel="nats per character")
axes[0].legend()
bars = axes[1].bar(["letter\nfrequencies", *tests], [by_frequency, *tests.values()], color=["gray", "C0", "C1", "C2"])
axes[1].bar_label(bars, fmt="%.3f")
axes[1].set(title="Test", ylabel="nats per character")
lesson.save(figure, "05_names.png")

# %% [markdown]
# **Break it.** Forget to shift: give the model as its input the very character that it is to guess. The nats fall to
# almost nothing, on the validation part, too, and seem a triumph. But it has only learned to repeat what it reads. Let
# it write: after the start symbol it repeats just that, which means the end. All its words are empty.

# %%
copier, copier_curve = fit(nn.RNN, shift=2)
empty = sum(word == "" for word in write(copier, 1000)) / 1000
lesson.promise("nats without the shift, validation", copier_curve[-1], high=1.0 if args.quick else 0.05)
lesson.promise("share of empty words that it writes", empty, low=0.2 if args.quick else 0.8)
weights, held_ids = models["GRU"].state_dict(), ids[test][:, :-1]  # (n, T), for the last cell
expected = models["GRU"](held_ids)[0].data  # (n, T, V)

# %% [markdown]
# **Exercises**: `minigen learn run rnn_through_time` and `lstm_step`, the two networks a step at a time.
#
# **The same in Keras and in PyTorch**: in PyTorch the GRU's scores on `held_ids`, with its `weights`, as NumPy arrays;
# in Keras the model.
#
# ```python
# import torch
# embedding = torch.nn.Embedding.from_pretrained(torch.tensor(weights["embedding.w"]))
# gru = torch.nn.GRU(32, 128, batch_first=True)  # its weights are turned: (3H, D); its gates, too, are r, z, n
# w_x, w_h, b, b_n = (torch.tensor(weights[f"network.cells.0.{k}"]) for k in ("w_x", "w_h", "b", "b_n"))
# gru.weight_ih_l0.data, gru.weight_hh_l0.data = w_x.T, w_h.T
# gru.bias_ih_l0.data, gru.bias_hh_l0.data = b, torch.cat([torch.zeros(256), b_n])  # ours has one where two only add up
# hs, _ = gru(embedding(torch.tensor(held_ids)))  # (n, T, H)
# scores = hs @ torch.tensor(weights["readout.w"]) + torch.tensor(weights["readout.b"])  # (n, T, V)
# ```
#
# ```python
# import keras
# gru = keras.layers.GRU(128, return_sequences=True)  # keras.layers.SimpleRNN and LSTM for the others
# model = keras.Sequential([keras.layers.Embedding(V, 32), gru, keras.layers.Dense(V)])
# scores = model(held_ids)  # its z keeps a share of the old h, as here; the order of its gates is z, r, n
# ```

# %%
lesson.report(args)
