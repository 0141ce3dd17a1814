"""Text to image: a caption draws a letter

Goal: a diffusion model that draws what a caption asks for, and an LSTM that learns to read from pictures alone.
Needs: guidance (lesson 4.16), embeddings and the LSTM (3.2, 3.3).
Time: about 8 min on one core, less on two (--quick: 5 s).
You should see: the letter, its style and its size, all of them as the caption asks, in at least 86 of 100 pictures
    (about 93); of forms that it never saw together, in at least 70.
"""

# %% [markdown]
# In lesson 4.16 the vector that says what to draw was made by us. Here a network makes it, by reading a caption. Nobody
# tells it what a word means: it learns that from pictures with captions, as the large models do (Ramesh et al. 2021).

# %%
import random

import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim, parallel, xp  # xp is NumPy, or CuPy with --backend cupy
from minigen.models import diffusion

args = lesson.arguments(__doc__, caption="a bold slanted letter Q, large", steps=3000)
plt = lesson.pyplot()
T, steps, batch_size, count, n = (40, 8, 16, 280, 28) if args.quick else (200, args.steps, 64, 4200, 280)
low = 0.86 if steps >= 3000 else None  # what is promised; fewer steps promise less
chance, rng = random.Random(args.seed), np.random.default_rng(args.seed)

# %% [markdown]
# **The pictures**: 28 letters, thin or bold, upright or slanted, small or large. For every fourth letter (A, E, I, M,
# Q, U, Y) **the bold slanted form is held out**: there will be bold Qs and slanted Qs, never one that is both. A
# convolution costs nine times less at 8 x 8 than at 24 x 24, so each 3 x 3 pixels become one place with 9 channels: the
# same numbers in another order (Shi et al. 2016).

# %%
large, small = (data.glyphs(count, size=size, seed=100 * args.seed + size, jitter=0.5) for size in (28, 18))
images = np.append(large.images[:, 2:-2, 2:-2], np.pad(small.images, ((0, 0), (3, 3), (3, 3), (0, 0))), axis=0)
letters = np.append(large.labels, small.labels)  # (N,), 0 to 27
bold, slanted = (np.append(getattr(large.styles, name), getattr(small.styles, name)) for name in ("bold", "slanted"))
traits = np.stack([bold, slanted, np.arange(2 * count) < count], axis=1)  # (N, 3)
shown = (letters % 4 > 0) | ~(bold & slanted)  # (N,)
images, letters, traits = images[shown], letters[shown], traits[shown]  # images (N, 24, 24, 1), from 0 to 1
x = mg.asarray(2 * images.reshape(-1, 8, 3, 8, 3).transpose(0, 1, 3, 2, 4).reshape(-1, 8, 8, 9) - 1)  # (N, 8, 8, 9)
assert (mg.to_numpy(x)[:, 2, 5].reshape(-1, 3, 3) == 2 * images[:, 6:9, 15:18, 0] - 1).all()

# %% [markdown]
# **The captions.** A small grammar tells some of the traits, in any order, before the letter or after it. What is not
# bold is *thin* or *not bold*; what is not said may be either. `not` is why order counts: "bold and not slanted" and
# "slanted and not bold" are the same words.

# %%
OPPOSITE = {"bold": "thin", "slanted": "upright", "large": "small"}
WORDS = ["", "a", "the", "letter", "and", "not", *OPPOSITE, *OPPOSITE.values(), *data.LETTERS]  # 40


def caption(letter, traits, said=3):  # 0 to 27, three bools -> a text
    chosen = chance.sample(list(zip(OPPOSITE, traits, strict=True)), said)
    phrases = [trait if yes else chance.choice((OPPOSITE[trait], f"not {trait}")) for trait, yes in chosen]
    cut, start, noun = chance.randint(0, said), chance.choice(("a ", "the ", "")), chance.choice(("letter ", ""))
    first, rest = " ".join([*phrases[:cut], noun + data.LETTERS[letter]]), " and ".join(phrases[cut:])
    return start + first + (", " + rest if rest else "")


def numbers(captions):  # n texts -> (n, 12), filled up on the left with 0, so that all end in the last place
    table = np.zeros((len(captions), 12), dtype="int64")
    for row, text in zip(table, captions, strict=True):
        words = text.replace(",", " ").split()
        if len(words) > 12 or sum(w in data.LETTERS for w in words) != 1 or not set(words) <= set(WORDS):
            raise SystemExit(f"{text!r}: a caption has one letter and at most 12 words, all of {' '.join(WORDS[1:])}")
        row[-len(words) :] = [WORDS.index(word) for word in words]
    return xp.asarray(table)


print(args.caption, "=", numbers([args.caption])[0])
print(*(caption(letters[i], traits[i]) for i in range(0, len(letters), len(letters) // 4)), sep="\n")

# %% [markdown]
# **One loss for two networks.** The last state of the LSTM, the *code*, is the U-Net's condition. Through it the loss's
# gradient reaches the LSTM: that is all its schooling. One code in ten is zeros, for guidance. Two things make the
# U-Net listen. (Tried once without them: after 1,000 steps 5 % of the letters were those asked for; by chance, 4 %.)
# Where nearly all is noise, to guess it is to copy x_t. So the guess is v = sqrt(alpha_bar) noise - sqrt(1 - alpha_bar)
# x_0, there minus the picture (Salimans and Ho 2022); the noise is sqrt(alpha_bar) v + sqrt(1 - alpha_bar) x_t. And a
# condition tells all places the same. So a matrix makes a *sketch* of the code: 9 channels that the U-Net sees beside
# x_t.


# %%
class Painter(diffusion.UNet):
    def __init__(self):
        super().__init__(T=T, channels=18, widths=(64, 128), condition=128)
        self.embedding, self.lstm = nn.Embedding(len(WORDS), 32), nn.LSTM(32, 128)
        self.sketch = nn.Dense(128, 8 * 8 * 9, bias=False)  # no bias: nothing asked for, nothing sketched

    def read(self, table):  # (n, 12) -> the codes (n, 128)
        return self.lstm(self.embedding(table))[0][:, -1]

    def forward(self, x_t, t, code=None):  # (n, 8, 8, 9), (n,), (n, 128) -> the noise (n, 8, 8, 9)
        code = xp.zeros((len(x_t), 128), "float32") if code is None else code
        seen = mg.concatenate(x_t, self.sketch(code).reshape(-1, 8, 8, 9), axis=3)  # (n, 8, 8, 18)
        v, share = super().forward(seen, t, code)[..., :9], alpha_bar[t].reshape(-1, 1, 1, 1)  # of 18 channels, 9
        return xp.sqrt(share) * v + xp.sqrt(1 - share) * x_t

    def loss(self, x_0, t, noise, table, keep):  # as above; table (n, 12), keep (n, 1) of 0 or 1
        guess = self(diffusion.noised(x_0, t, noise, alpha_bar), t, self.read(table) * keep)  # (n, 8, 8, 9)
        return ((guess - noise) ** 2 / alpha_bar[t].reshape(-1, 1, 1, 1)).mean()  # the mean squared error of v


# %% [markdown]
# **Training**, as in lesson 4.16; the captions are new each time. 17_text_to_image.png shows how it goes on.


# %%
def draw(captions, guidance=3.0):  # n texts -> (n, 24, 24, 1), grey values in [0, 1]
    code = painter.read(numbers(captions)).data  # (n, 128)
    settings = {"guidance": guidance, "steps": 4 if args.quick else 20, "seed": args.seed}
    drawn = diffusion.sample(painter, alpha_bar, (len(captions), 8, 8, 9), condition=code, **settings)
    squares = mg.to_numpy(drawn).reshape(-1, 8, 8, 3, 3)  # back from channels to pixels
    return (squares.transpose(0, 1, 3, 2, 4).reshape(-1, 24, 24, 1) + 1) / 2


def show(ax, text, title=""):
    ax.imshow(np.hstack(draw([text] * 12)[..., 0]), cmap="gray_r", vmin=0, vmax=1)  # (24, 12 * 24)
    ax.set_title(title + text)


alpha_bar, painter = diffusion.cosine_schedule(T), Painter()
adam = optim.Adam(painter.parameters(), lr=3e-3)
schedule = optim.WarmUp(adam, steps=50, then=optim.CosineLR(adam, steps=steps))
ema = optim.ExponentialMovingAverage(painter, decay=0.995, warm_up=True)
figure, axes = plt.subplots(5, 2, figsize=(12, 5), subplot_kw={"frame_on": False, "xticks": [], "yticks": []})
looks = dict(zip([max(1, steps * share // 10) for share in (1, 2, 4, 7, 10)], axes[:, 0], strict=True))
with parallel.Team(painter.loss, adam) as team:
    for k in lesson.progress(range(1, steps + 1), "training"):
        chosen, t = rng.integers(len(letters), size=batch_size), rng.integers(T, size=batch_size)  # (n,), (n,)
        table = numbers([caption(letters[i], traits[i], said=chance.choice((0, 1, 2, 3, 3, 3))) for i in chosen])
        noise, keep = mg.random.normal((batch_size, 8, 8, 9)), mg.random.keep_mask((batch_size, 1), 0.1)
        adam.zero_grad()
        team.backward(x[xp.asarray(chosen)], xp.asarray(t), noise, table, keep)
        adam.step()
        schedule.step()
        ema.update()
        if k in looks:
            with ema.applied():
                show(looks[k], args.caption, f"step {k:,}: ")
            lesson.save(figure, "17_text_to_image.png")
for parameter, average in zip(painter.parameters(), ema.averages, strict=True):
    parameter.data = average  # from here on the network is the averaged one

# %% [markdown]
# **As asked?** Large is what has ink in at least 15 rows or columns. The classifier of lesson 4.4 tells the rest. It
# knows large letters only: a small one is enlarged, as its Fourier series has it. It takes grey on the paper for ink:
# so more contrast. First *real* pictures, the best there can be. Then ten captions a letter; and forms held out: a bold
# slanted Q comes nearly as often as what was seen. The words are put together, not looked up.


# %%
def judged(images):  # (n, 24, 24, 1) -> (n, 4): 0 to 27 for the letter, 0 or 1 for bold, slanted, large
    ink = images[..., 0] > 0.5  # (n, 24, 24)
    large = np.maximum(ink.any(axis=1).sum(axis=1), ink.any(axis=2).sum(axis=1)) >= 15  # (n,)
    whole = np.pad(images[..., 0], ((0, 0), (2, 2), (2, 2)))  # (n, 28, 28)
    small = images[:, 3:-3, 3:-3, 0]  # (n, 18, 18)
    for axis in (1, 2):  # to (n, 28, 28)
        small = np.fft.irfft(np.fft.rfft(small, axis=axis), 28, axis=axis) * (28 / 18)
    seen = np.where(large[:, None, None], whole, small)[..., None] * 2 - 0.5  # (n, 28, 28, 1)
    answers = [metrics.classifier("glyphs").labels(seen.clip(0, 1), of) for of in ("label", "bold", "slanted")]
    return np.stack([*answers, large], axis=1)


right = (judged(images[::8]) == np.c_[letters, traits][::8]).all(axis=1)  # (about 1000,)
lesson.promise("real pictures: all of it", right.mean(), low=0.95)
asked = np.c_[np.arange(n) % 28, rng.random((n, 3)) < 0.5]  # (n, 4)
asked[(asked[:, 0] % 4 == 0) & (asked[:, 2] == 1), 1] = 0  # none that is held out
held_out = np.c_[asked[:, :1] // 4 * 4, np.ones((n, 2), int), asked[:, 3:]]  # (n, 4), all bold and slanted
cases = {"asked": (asked, 3.0), "held out": (held_out, 3.0), "guidance 2": (asked, 2.0), "guidance 1": (asked, 1.0)}
for name, (wanted, guidance) in cases.items():
    hits = judged(draw([caption(row[0], row[1:]) for row in wanted], guidance)) == wanted  # (n, 4)
    shares = [*hits.mean(axis=0), hits.all(axis=1).mean()]
    for part, share in zip(("letter", "bold or not", "slanted or not", "size", "all of it"), shares, strict=True):
        new = name == "held out" and part == "all of it"
        lesson.promise(f"{name}: {part}", share, low=low if name == "asked" else low and 0.7 if new else None)

# %% [markdown]
# **Your caption** is drawn with `--caption "a small K, not bold"`; what is not said is left to the noise. **Break it**:
# shuffle the words of "K bold and not slanted". **Exercises**: `minigen learn run lstm_step`, `diffusion_loss`.

# %%
others = "a letter R; the thin small letter W; A, bold and slanted; K, bold and not slanted; K, slanted and not bold"
for ax, text in zip(axes[:, 1], others.split("; "), strict=True):
    show(ax, text)
lesson.save(figure, "17_text_to_image.png")
texts = [f"{letter} {a} and not {b}" for letter in data.LETTERS for a, b in (("bold", "slanted"), ("slanted", "bold"))]
shuffled = [" ".join(chance.sample(text.split(), 5)) for text in texts]
for name, captions, bounds in ("in order", texts, {"low": low and 0.8}), ("shuffled", shuffled, {"high": low and 0.5}):
    hits = judged(draw(captions))[:, 1:3] == [[1, 0], [0, 1]] * 28  # (56, 2)
    lesson.promise(f"same words, {name}: as asked", hits.all(axis=1).mean(), **bounds)
table, weights = mg.to_numpy(numbers(texts)), {name: mg.to_numpy(w) for name, w in painter.state_dict().items()}

# %% [markdown]
# **The same in Keras and in PyTorch**: the codes of the captions in `table`, with our weights.
# ```python
# import torch
# lstm = torch.nn.LSTM(32, 128, batch_first=True)  # the gates in the same order; its weights are turned: (4H, D)
# w_x, w_h, b = (torch.tensor(weights[f"lstm.cells.0.{name}"]) for name in ("w_x", "w_h", "b"))
# lstm.weight_ih_l0.data, lstm.weight_hh_l0.data = w_x.T, w_h.T
# lstm.bias_ih_l0.data, lstm.bias_hh_l0.data = b, torch.zeros(512)  # it has two, which only add up
# states, (last, c) = lstm(torch.tensor(weights["embedding.w"])[torch.tensor(table)])  # last (1, n, 128): the codes
# ```
# ```python
# import keras
# net = keras.Sequential([keras.layers.Embedding(40, 32), keras.layers.LSTM(128)])
# net.build(table.shape)
# net.set_weights([weights["embedding.w"], *(weights[f"lstm.cells.0.{name}"] for name in ("w_x", "w_h", "b"))])
# code = net(table)
# ```

# %%
lesson.report(args)
