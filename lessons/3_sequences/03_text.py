"""Text, character by character

Goal: train an LSTM to guess the next character of a text, and let it write.
Needs: the LSTM (lesson 3.2), truncated backpropagation through time (3.1).
Time: about 1 min on two cores (--quick: 4 s; --data tinyshakespeare: 6 min).
You should see: the cost of a character, held out: below 1.45 nats in Python's manual, where a table of which character
    follows which needs 2.3 (tinyshakespeare: 1.55, the table 2.48). Words almost at once; then lines that look right.

    minigen run text --text FILE         any text in UTF-8, Spanish too
    minigen run text --sample "To be"    goes on from there, with the model trained last (--data, --text: on that text)
"""

# %% [markdown]
# A **language model** gives every possible next character a probability, from all that came before. Train it on a text,
# and it can write: draw a character from these probabilities, append it, ask again (with a recurrent network:
# Sutskever, Martens and Hinton, 2011; char-rnn by Karpathy, 2015). The measure is **nats per character**: the mean of
# -ln(probability that the true next character was given), which is the cross-entropy of lesson 1.6. Certainty costs 0,
# a guess among V characters ln V.

# %%
import os
from pathlib import Path

import numpy as np

import minigen as mg
from minigen import checkpoint, data, lesson, nn, optim, xp  # xp is NumPy, or CuPy with --backend cupy

args = lesson.arguments(__doc__, data=("prose", "tinyshakespeare", "quijote"), text="", sample="")
plt = lesson.pyplot()
folder = Path(os.environ.get("MINIGEN_OUTPUT") or Path(lesson.__file__).parents[1] / "lessons" / "output")
name = Path(args.text).stem if args.text else args.data  # of the text, and of the file that keeps the model

# %% [markdown]
# **The model.** A character has a number, its id. The *embedding* is a table with a row of 64 learned numbers for each
# id. (To look a row up is to multiply with a one-hot row, without the products with 0.) The LSTM reads these rows, and
# a dense layer makes V scores out of each of its states: softmax would make them probabilities.


# %%
class CharacterModel(nn.Module):
    def __init__(self, V, H):
        self.embedding, self.lstm, self.readout = nn.Embedding(V, 64), nn.LSTM(64, H), nn.Dense(H, V)
        self.dropout = nn.Dropout(0.3)
        self.lstm.cells[0].b.data[H : 2 * H] = 1.0  # the forget gates start open

    def forward(self, ids, state=None):  # (N, T) whole numbers; the state to go on from, or zeros
        hs, state = self.lstm(self.embedding(ids), state)  # (N, T, 64) -> (N, T, H)
        return self.readout(self.dropout(hs)), state  # (N, T, V), scores of the *next* character at each place


# %% [markdown]
# **Writing.** Divide the scores by a *temperature* before the softmax. Below 1 the likely becomes likelier: safe, and
# soon a loop. Above 1 the unlikely gets its turn: bold, and soon nonsense.


# %%
def write(model, characters, prompt, length, temperature):  # -> a string of `length` characters that go on from prompt
    chance = np.random.default_rng(args.seed)
    ids, state, written = [characters.index(c) for c in prompt], None, ""
    with mg.no_grad():
        for _ in range(length):
            scores, state = model(xp.asarray([ids]), state)  # (1, T, V); T is 1 after the prompt
            p = mg.to_numpy(scores.data[0, -1]).astype("float64") / temperature  # (V,)
            p = np.exp(p - p.max())
            ids = [int(chance.choice(len(p), p=p / p.sum()))]
            written += characters[ids[0]]
    return written


# %%
if args.sample:  # the model of an earlier run writes, and that is all
    kept = [p for p in folder.glob("03_text_*.npz") if name in ("prose", p.stem[8:].removesuffix("_quick"))]
    if not kept:
        raise SystemExit("There is no trained model yet. The same command without --sample trains one, and keeps it.")
    newest = max(kept, key=lambda path: path.stat().st_mtime)
    try:
        weights, notes = checkpoint.load(newest)
    except ValueError as error:
        raise SystemExit(f"{error}. Train anew, without --sample.") from None
    if unknown := sorted(set(args.sample) - set(notes["characters"])):
        raise SystemExit(f"The text of {newest.name} does not contain {unknown}, only {notes['characters']!r}")
    model = CharacterModel(len(notes["characters"]), notes["hidden"])
    model.load_state_dict(weights)
    model.eval()
    for temperature in (0.5, 0.8, 1.0):
        written = write(model, notes["characters"], args.sample, 300, temperature)
        print(f"--- {newest.stem}, temperature {temperature}\n{args.sample}{written}\n")
    raise SystemExit

# %% [markdown]
# **The text.** The last tenth is held out, to measure on what the model has not read. As a rival, count in the rest how
# often each character follows each other one: a table of V x V.

# %%
try:
    text = data.manual_prose() if name == "prose" and not args.text else data.text(args.text or args.data)
except (OSError, ValueError) as error:
    raise SystemExit(f"{error}") from None
if len(text) < 10_000:
    raise SystemExit(f"{args.text} has {len(text)} characters; a model wants at least 10,000 to learn from")
text = text[:150_000] if args.quick else text
characters = "".join(sorted(set(text)))
V, cut, position = len(characters), int(0.9 * len(text)), {c: i for i, c in enumerate(characters)}
ids = np.array([position[c] for c in text])  # (characters of the text,)
train, held_out = ids[:cut], ids[cut:]

counts = np.full((V, V), 0.1)  # a little for what has never been seen, or it would cost infinitely much
np.add.at(counts, (train[:-1], train[1:]), 1)
by_table = -np.log(counts / counts.sum(axis=1, keepdims=True))[held_out[:-1], held_out[1:]].mean()
print(f"{name}: {len(text):,} characters; {V} different ones, so a guess costs {np.log(V):.3f} nats: {characters!r}")

# %% [markdown]
# **Streams.** Cut the text into N long rows, and read them side by side, T characters at a time. Each piece goes on
# where the last one ended, so the state is carried over, and the gradient is cut: truncated backpropagation (lesson
# 3.1). The target is the text itself, one character on.


# %%
def streams(ids, N):  # -> what is read and what comes next, (N, length) each
    length = (len(ids) - 1) // N
    return [mg.asarray(ids[k : k + N * length].reshape(N, length)) for k in (0, 1)]


def nats(model, ids, T, carried=True):  # -> the mean over all of ids
    x, target = streams(ids, 16)
    state, total = None, 0.0
    with mg.no_grad():
        for t in range(0, x.shape[1], T):
            scores, state = model(x[:, t : t + T], state if carried else None)
            total += mg.cross_entropy(scores, target[:, t : t + T], reduction="sum").item()
    return total / x.size


# %% [markdown]
# **Training.** Adam; a learning rate that rises for 50 steps (a *warm-up*: Adam's averages have seen little yet), and
# then falls to 0 along half a cosine; clipping; and dropout (lesson 1.9), so that the text is not learned by heart.

# %%
N, T, H = (16, 32, 128) if args.quick else (32, 64, 256)
epochs = 1_500_000 // cut + 1 if args.data == "prose" else 10  # with --text as with the prose: about a minute
epochs = 1 if args.quick else epochs
model = CharacterModel(V, H)
steps = epochs * (len(train) // (N * T))
adam = optim.Adam(model.parameters(), lr=0.012)
schedule = optim.WarmUp(adam, steps=min(50, steps), then=optim.CosineLR(adam, steps=steps))
print(f"{sum(p.size for p in model.parameters()):,} parameters, {epochs} epochs of {steps // epochs} steps")

# %%
losses, held_out_nats = [], []  # at each step; after each epoch
for epoch in lesson.progress(range(epochs), "text"):
    offset, state = epoch * T // epochs, None  # each epoch cuts at other places, and begins without a past
    x, target = streams(train[offset:], N)  # (N, length)
    model.train()
    for t in range(0, x.shape[1] - T + 1, T):
        scores, (h, c) = model(x[:, t : t + T], state)  # (N, T, V), (1, N, H) twice
        loss = mg.cross_entropy(scores, target[:, t : t + T])
        adam.zero_grad()
        loss.backward()
        optim.clip_grad_norm(model.parameters(), 1.0)
        adam.step()
        schedule.step()
        state = h.data, c.data  # the cut: arrays, so no gradient goes further back
        losses.append(loss.item())
    model.eval()
    held_out_nats.append(nats(model, held_out, T))
    print(f"\nepoch {epoch + 1}: training {np.mean(losses[-steps // epochs :]):.3f}, held out {held_out_nats[-1]:.3f}")
    if (epoch + 1) % int(np.ceil(epochs / 10)) == 0:  # ten times at most
        for temperature in (0.5, 0.8, 1.2):
            print(f"  {temperature}: {write(model, characters, text[cut], 90, temperature)!r}")

# %%
bound = by_table if args.quick else {"prose": 1.45, "tinyshakespeare": 1.55, "quijote": 1.6}[args.data]
bound = None if args.text else bound  # of another text nothing is known
lesson.promise("held-out nats per character", held_out_nats[-1], high=bound)
lesson.promise("... of the table", by_table, low=None if args.text else 2)
read, weights = streams(held_out, 16)[0][:, :T], model.state_dict()  # (16, T)
expected = model(read)[0].data  # (16, T, V), to compare with other libraries below

# %% [markdown]
# **Break it.** Forget to carry the state: begin every piece with zeros. Nothing complains, and with pieces of 64 you
# would hardly notice. Shorter pieces show how many characters back the model looks: what the memory is worth.

# %%
pieces = [1, 2, 4, 8, 16, 32, 64, 128]
forgetful = [nats(model, held_out, k, carried=False) for k in pieces]
lesson.promise("nats more without a past, pieces of 4", forgetful[2] - held_out_nats[-1], low=0.05)

figure, axes = plt.subplots(1, 2, figsize=(11, 4))
smooth = np.convolve(losses, np.ones(25) / 25, mode="valid")  # the mean of 25 steps
axes[0].plot((np.arange(len(smooth)) + 12) * epochs / steps, smooth, label="training, with dropout")
axes[0].plot(range(1, len(held_out_nats) + 1), held_out_nats, "o-", label="held out")
axes[0].set(title=f"Learning: {name}", xlabel="epoch", ylabel="nats per character")
axes[1].semilogx(pieces, forgetful, "o-", base=2, label="state forgotten at each cut")
axes[1].axhline(held_out_nats[-1], color="C1", label="carried over")
axes[1].set(title="Held out, in pieces", xlabel="characters in a piece", xticks=pieces, xticklabels=pieces)
for ax in axes:
    ax.axhline(by_table, color="black", linestyle="--", linewidth=1, label="table of pairs")
    ax.legend()
lesson.save(figure, "03_text.png")
file = folder / f"03_text_{name}{'_quick' if args.quick else ''}.npz"  # for --sample
checkpoint.save(file, weights, characters=characters, hidden=H)

# %% [markdown]
# **Exercises**: `minigen learn run embedding`, the gradient of the table; and `attention`. What the LSTM knows of the
# past has to fit into its state. *Attention* (Bahdanau, Cho and Bengio, 2015) keeps the states of all earlier places,
# and looks back at those that matter now. Transformers (Vaswani et al., 2017) are made of it.
#
# **The same in Keras and in PyTorch**: the model's scores on `read`, with its `weights`, as NumPy arrays.
#
# ```python
# import torch
# embedding = torch.nn.Embedding.from_pretrained(torch.tensor(weights["embedding.w"]))
# lstm = torch.nn.LSTM(64, H, batch_first=True)  # its weights are turned: (4H, D)
# w_x, w_h, b = (torch.tensor(weights[f"lstm.cells.0.{k}"]) for k in ("w_x", "w_h", "b"))
# lstm.weight_ih_l0.data, lstm.weight_hh_l0.data = w_x.T, w_h.T
# lstm.bias_ih_l0.data, lstm.bias_hh_l0.data = b, torch.zeros(4 * H)  # it has two
# hs, state = lstm(embedding(torch.tensor(read)))  # (N, T, H)
# scores = hs @ torch.tensor(weights["readout.w"]) + torch.tensor(weights["readout.b"])  # (N, T, V)
# ```
#
# ```python
# import keras
# from keras import layers
# twin = keras.Sequential([layers.Embedding(V, 64), layers.LSTM(H, return_sequences=True), layers.Dense(V)])
# twin.build(read.shape)
# twin.set_weights(list(weights.values()))  # in the same order, and the gates, too
# scores = twin(read)  # (N, T, V)
# ```

# %%
lesson.report(args)
