"""Numbers in words

Goal: train an LSTM to write numbers in words, in English and in Spanish, and measure how many are valid, and new.
Needs: text, character by character (lesson 3.3).
Time: about 1 min on two cores (--quick: 5 s).
You should see: of 1,000 numbers that it writes, in each language, more than 95 in 100 are spelled right, and nearly all
    of these were not among those it learned from. A model that has read only 100 numbers copies them.
"""

# %% [markdown]
# Is a text that a model wrote any good? For most texts only a reader can tell. For *numbers in words* a program can:
# "two hundred thirty-four" is one, "two hundred ten-four" is none. Nobody tells the model the grammar. It only sees
# examples. And since there are a million numbers from 0 up to a million, and it sees 1 in 100, we can also ask whether
# it has learned the rule or the examples: is what it writes *new*?

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, nn, optim, xp  # xp is NumPy, or CuPy with --backend cupy

args = lesson.arguments(__doc__)
plt = lesson.pyplot()

chance = np.random.default_rng(args.seed)
chosen = chance.choice(1_000_000, 10_500, replace=False).tolist()
texts = {language: [data.spell_number(v, language=language) for v in chosen] for language in ("en", "es")}
for language, some in texts.items():
    print(f"{language}: {some[0]!r}, {some[1]!r}; the longest has {max(map(len, some))} characters")
assert data.is_valid_number("two hundred thirty-four") and not data.is_valid_number("two hundred ten-four")

# %% [markdown]
# **Texts of different lengths** do not fit into one array. So each becomes a row: a start symbol, the characters, an
# end symbol, then *padding*. (The line end, id 0, serves as all three.) The model reads a row without its last symbol,
# and is to guess the row without its first. What it guesses in the padding must not count: a *mask* is 1 where the
# target is a character or the end, and 0 after it.


# %%
def rows(texts, characters):  # -> ids (n, longest + 2), mask (n, longest + 1)
    longest, ids, mask = max(map(len, texts)), [], []
    for text in texts:
        padding = [0] * (longest - len(text))
        ids.append([0, *map(characters.index, text), 0, *padding])  # start, characters, end
        mask.append([1] * (len(text) + 1) + padding)
    return xp.asarray(ids), xp.asarray(mask, dtype="float32")


print(*rows(["two", "eleven"], "\nelnotvw"), sep="\n")


# %%
class CharacterModel(nn.Module):
    def __init__(self, V, H=128):
        self.embedding, self.lstm, self.readout = nn.Embedding(V, 32), nn.LSTM(32, H), nn.Dense(H, V)
        self.lstm.cells[0].b.data[H : 2 * H] = 3.0  # forget gates wide open: "mil" came 30 characters ago

    def forward(self, ids, state=None):  # (n, T)
        hs, state = self.lstm(self.embedding(ids), state)  # (n, T, 32) -> (n, T, H)
        return self.readout(hs), state  # (n, T, V)


def nats(model, ids, mask):  # (n, T + 1), (n, T) -> the mean over what the mask lets through
    scores, _ = model(ids[:, :-1])  # (n, T, V)
    each = mg.cross_entropy(scores, ids[:, 1:], reduction="none")  # (n, T)
    return (each * mask).sum() / float(mask.sum())


# %% [markdown]
# **Training**, as in lesson 3.3, but without a state to carry over: each row begins anew.


# %%
def train(texts, characters, steps, N=16):
    model = CharacterModel(len(characters))
    ids, mask = rows(texts, characters)
    adam = optim.Adam(model.parameters(), lr=0.012)
    schedule, losses = optim.CosineLR(adam, steps=steps), []
    for _ in lesson.progress(range(steps), "numbers"):
        chosen = chance.integers(len(texts), size=N).tolist()
        loss = nats(model, ids[chosen], mask[chosen])
        adam.zero_grad()
        loss.backward()
        optim.clip_grad_norm(model.parameters(), 1.0)
        adam.step()
        schedule.step()
        losses.append(loss.item())
    return model, losses


# %% [markdown]
# **Writing**, many numbers at once. Each begins with the start symbol; what comes after its end symbol is cut off. To
# draw a character, lay the probabilities end to end: they fill the line from 0 to 1. A dart thrown at the line hits
# each with its probability.

# %%
count = 300 if args.quick else 1000


def write(model, characters, n=count, longest=80, temperature=1.0):  # -> n texts
    last, state, columns = xp.zeros((n, 1), dtype="int64"), None, []
    with mg.no_grad():
        for _ in range(longest):
            scores, state = model(last, state)  # (n, 1, V)
            ends = mg.softmax(scores.data[:, 0] / temperature).cumsum(axis=1)  # (n, V), the last about 1
            dart = mg.random.uniform((n, 1)) * ends[:, -1:]  # (n, 1)
            last = (ends > dart).argmax(axis=1)[:, None]  # (n, 1): the first that ends beyond the dart
            columns.append(last)
    table = mg.to_numpy(xp.concatenate(columns, axis=1))  # (n, longest)
    return ["".join(characters[i] for i in row).partition("\n")[0] for row in table]


# %% [markdown]
# **Valid and new.** The measure: what share of all that was written is valid; and what share is valid *and* not among
# the numbers learned from. The nats have a floor here: a million numbers are equally likely, so on average no model
# can pay less than ln 1,000,000 = 13.8 nats for one, shared by its characters.


# %%
def judge(written, learned, language):  # -> shares of all that was written
    valid = [text for text in written if data.is_valid_number(text, language=language)]
    return len(valid) / len(written), sum(text not in learned for text in valid) / len(written)


# %%
steps = 120 if args.quick else 2000
names, results = {"en": "English", "es": "Spanish"}, {}
for language, some in texts.items():
    learned, held_out = set(some[:10_000]), some[10_000:]
    characters = "\n" + "".join(sorted(set("".join(some))))
    model, losses = train(some[:10_000], characters, steps)
    with mg.no_grad():
        unseen = nats(model, *rows(held_out, characters)).item()
    written = write(model, characters)
    results[language] = model, characters, learned, losses, written
    valid, new = judge(written, learned, language)
    floor = np.log(1_000_000) / np.mean([len(text) + 1 for text in held_out])  # nats per character
    print(f"{names[language]}: {losses[-1]:.3f} nats in training, {unseen:.3f} held out, floor {floor:.3f}:")
    print(*("  " + text for text in written[:5]), sep="\n")
    if wrong := [t for t in written if not data.is_valid_number(t, language=language)]:
        print("  wrong:", *(repr(t) for t in wrong[:3]))
    lesson.promise(f"valid, {names[language]}", valid, low=0.02 if args.quick else 0.95)
    lesson.promise(f"valid and new, {names[language]}", new, low=0.02 if args.quick else 0.9)

# %% [markdown]
# **Temperature** (lesson 3.3). Colder, the model errs less, but repeats itself: count how many *different* numbers are
# among the 1,000. Hotter, each of a text's sixty characters is a risk, and the risks add up.

# %%
model, characters, learned, _, _ = results["es"]
temperatures, shares = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5), []
for temperature in temperatures:
    written = write(model, characters, temperature=temperature)
    shares.append((*judge(written, learned, "es"), len(set(written)) / len(written)))
lesson.promise("valid at temperature 0.6 more than at 1.5, Spanish", shares[2][0] - shares[-1][0], low=0.05)

# %% [markdown]
# **Break it.** Learn from 100 numbers instead of 10,000, as long as before. The loss in training falls far lower, which
# looks like success. But a model with 90,000 weights has room for 100 texts: it learns them by heart, and copies.

# %%
few, weights = texts["es"][:100], model.state_dict()
parrot, parrot_losses = train(few, characters, steps)
held_ids, held_mask = rows(texts["es"][10_000:], characters)  # (500, T + 1), (500, T)
with mg.no_grad():
    parrot_unseen = nats(parrot, held_ids, held_mask).item()
parrot_valid, parrot_new = judge(write(parrot, characters), set(few), "es")
print(f"100 numbers: {parrot_losses[-1]:.3f} nats in training, {parrot_unseen:.3f} held out")
lesson.promise("valid, from 100 numbers", parrot_valid)
lesson.promise("valid and new, from 100 numbers", parrot_new, high=None if args.quick else 0.3)

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 3.8))
curves = {"English, 10,000": results["en"][3], "Spanish, 10,000": results["es"][3], "Spanish, 100": parrot_losses}
for label, losses in curves.items():
    axes[0].plot(np.convolve(losses, np.ones(25) / 25, mode="valid"), label=label)  # the mean of 25 steps
axes[0].set(title="Training", xlabel="step", ylabel="nats per character", ylim=(0, 1.5))
for label, curve in zip(("valid", "valid and new", "different"), zip(*shares, strict=True), strict=True):
    axes[1].plot(temperatures, curve, "o-", label=label)
axes[1].set(title=f"{count:,} Spanish numbers", xlabel="temperature", ylabel="share", ylim=(0, 1.05))
for ax in axes:
    ax.legend()
lesson.save(figure, "04_spelled_numbers.png")

# %% [markdown]
# **Exercise**: `minigen learn run embedding`: a character that comes many times, and one row of the table.
#
# **The same in Keras and in PyTorch**: the nats of the Spanish model on `held_ids`, with `held_mask` and its `weights`,
# as NumPy arrays.
#
# ```python
# import torch
# embedding = torch.nn.Embedding.from_pretrained(torch.tensor(weights["embedding.w"]))
# lstm = torch.nn.LSTM(32, 128, batch_first=True)  # its weights are turned: (4H, D)
# lstm.weight_ih_l0.data = torch.tensor(weights["lstm.cells.0.w_x"].T)
# lstm.weight_hh_l0.data = torch.tensor(weights["lstm.cells.0.w_h"].T)
# lstm.bias_ih_l0.data, lstm.bias_hh_l0.data = torch.tensor(weights["lstm.cells.0.b"]), torch.zeros(512)
# hs, _ = lstm(embedding(torch.tensor(held_ids[:, :-1])))  # (n, T, H)
# scores = hs @ torch.tensor(weights["readout.w"]) + torch.tensor(weights["readout.b"])  # (n, T, V)
# target = torch.tensor(held_ids[:, 1:]).masked_fill(torch.tensor(held_mask) == 0, -100)
# held_out_nats = torch.nn.functional.cross_entropy(scores.transpose(1, 2), target)  # it leaves -100 out
# ```
#
# ```python
# import keras
# layers = [keras.layers.Embedding(len(characters), 32), keras.layers.LSTM(128, return_sequences=True),
#           keras.layers.Dense(len(characters))]
# model = keras.Sequential(layers)
# model.build(held_ids[:, :-1].shape)
# model.set_weights(list(weights.values()))  # in the same order, and the gates, too
# loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
# each = loss(held_ids[:, 1:], model(held_ids[:, :-1]), sample_weight=held_mask)  # (n, T)
# held_out_nats = keras.ops.sum(each) / float(held_mask.sum())
# ```

# %%
lesson.report(args)
