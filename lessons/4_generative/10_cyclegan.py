"""CycleGAN: translate between two kinds of pictures without a single pair

Goal: turn grey digits into coloured outlines and back, from unpaired examples, where the true answer is known.
Needs: GANs and the least-squares loss (lesson 4.6), convolution (2.2), classifiers as judges (4.4).
Time: about 40 s (--quick: 3 s)
You should see: there and back with an error of at most 0.05 a pixel, at most 0.08 to the true partner, which training
    never saw; the digit kept both ways, at least 95%; and a cheat with a smaller loss than ours that keeps 10% of them.
"""

# %% [markdown]
# To turn a horse into a zebra by example, one wants pictures of the same horse, in the same pose, as a zebra. There are
# none; there are just many horses and many zebras. CycleGAN (Zhu et al. 2017) learns from two such piles. How good its
# answers are, nobody can tell for zebras. So here the second kind comes from the first by a rule that we know: a grey
# digit becomes green, with an orange outline, on blue. Training gets half of the digits in grey, and the *other* half
# outlined. The rule serves the test alone.

# %%
import numpy as np

import minigen as mg
from minigen import data, lesson, metrics, nn, optim, xp

args = lesson.arguments(__doc__, steps=0)
plt, rng = lesson.pyplot(), np.random.default_rng(args.seed)
blue, orange, green = (mg.asarray(colour) for colour in ([0.05, 0.1, 0.35], [1.0, 0.55, 0.1], [0.6, 0.85, 0.65]))


def outline(grey):  # (N, 8, 8, 3) -> (N, 8, 8, 3): green digits with an orange edge, on blue
    ink = grey[..., :1]  # (N, 8, 8, 1), from 0 to 1
    tall = mg.max_pool2d(ink, kernel=(3, 1), stride=1, padding=(1, 0))  # the most ink here, above and below,
    wide = mg.max_pool2d(ink, kernel=(1, 3), stride=1, padding=(0, 1))  # and to the left and right
    grown = xp.maximum(tall, wide)  # (N, 8, 8, 1)
    return ink * green + (grown - ink) * orange + (1 - grown) * blue


x_train, y_train, x_test, y_test = data.digits()
x_train, x_test = (xp.repeat(mg.asarray(x), 3, axis=3) for x in (x_train, x_test))  # grey as red, green, blue
half = len(x_train) // 2
grey, outlines = x_train[:half], outline(x_train[half:])  # (719, 8, 8, 3) each: no digit is in both
test_grey, test_outlines = x_test, outline(x_test)  # (359, 8, 8, 3) each: true partners
print(f"{len(grey)} grey digits, {len(outlines)} outlines of others; a digit and its partner differ by", end=" ")
lesson.promise("L1, per pixel", float(mg.l1(test_grey, test_outlines)), low=0.15)

# %% [markdown]
# **The judge.** Which digit is it? For grey digits the shipped classifier says it. Of an outlined one we read off the
# ink first: each pixel is a mixture of three colours, and the inverse of their matrix gives the shares, of which
# green's is the ink. So one judge reads both kinds.


# %%
def read_grey(pictures):  # (N, 8, 8, 3) -> digits (N,)
    return metrics.classifier("digits").labels(pictures.mean(axis=3, keepdims=True).clip(0, 1))  # of (N, 8, 8, 1)


def read_outlines(pictures):  # (N, 8, 8, 3) -> digits (N,)
    share = pictures @ xp.linalg.inv(xp.stack([green, orange, blue]))  # (N, 8, 8, 3): of green, orange, blue
    return metrics.classifier("digits").labels(share[..., :1].clip(0, 1))


for kind, read, pictures in (("grey digits", read_grey, test_grey), ("outlines", read_outlines, test_outlines)):
    lesson.promise(f"real {kind}, read right", (read(pictures) == y_test).mean(), low=0.97)

# %% [markdown]
# **Four networks.** Two translators, one for each direction, and two critics, one for each kind. A translator adds to
# the picture what it wants changed, so that it starts near "change nothing". A critic gives a grid of 4x4 answers, each
# about one patch of the picture (*PatchGAN*, Isola et al. 2017): is it real?


# %%
class Translator(nn.Module):
    def __init__(self, C=24):
        first, second, last = (nn.Conv2d(i, o, 3, padding=1) for i, o in ((3, C), (C, C), (C, 3)))
        self.change = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)

    def forward(self, x):  # (N, 8, 8, 3) -> (N, 8, 8, 3)
        return x + self.change(x)


def critic():
    first, second = nn.Conv2d(3, 24, 3, padding=1), nn.Conv2d(24, 48, 4, stride=2, padding=1)
    return nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2), nn.Conv2d(48, 1, 3, padding=1))


mg.random.seed(args.seed)
to_outline, to_grey, real_outline, real_grey = Translator(), Translator(), critic(), critic()
translators = nn.Sequential(to_outline, to_grey)  # only to have their parameters together
critics = nn.Sequential(real_outline, real_grey)
print(f"{translators.parameter_count():,} numbers in the translators, {critics.parameter_count():,} in the critics")

# %% [markdown]
# **The losses.** The critics' is least squares (Mao et al. 2017): 1 for real patches, 0 for made ones. The translators'
# has three parts. *Fool* the critics. *Cycle*: there and back again should give the same picture. *Identity*: who is
# asked to make an outline of an outline should leave it as it is, which keeps colours from drifting. Both are mean
# absolute differences, weighted 10 and 5 as in the paper.


# %%
def translator_losses(a, b):  # grey and outlines, (n, 8, 8, 3) -> fool, cycle, identity, and what was made
    n = len(a)
    made = to_outline(xp.concatenate([a, b])), to_grey(xp.concatenate([b, a]))  # (2n, 8, 8, 3) each
    fake_b, same_b, fake_a, same_a = made[0][:n], made[0][n:], made[1][:n], made[1][n:]
    fool = ((real_outline(fake_b) - 1) ** 2).mean() + ((real_grey(fake_a) - 1) ** 2).mean()
    cycle = mg.l1(to_grey(fake_b), a) + mg.l1(to_outline(fake_a), b)
    return fool, cycle, mg.l1(same_a, a) + mg.l1(same_b, b), fake_a.data, fake_b.data


def critic_loss(network, real, fake):  # arrays: nothing flows back into a translator
    return ((network(real) - 1) ** 2).mean() + (network(fake) ** 2).mean()


# %% [markdown]
# **Training.** In the translators' step the critics are frozen: they take no gradient. In the critics' step the made
# pictures are plain arrays.

# %%
steps = args.steps or (25 if args.quick else 1500)
adams = [optim.Adam(part.parameters(), lr=1e-3, betas=(0.5, 0.999)) for part in (translators, critics)]
schedules = [optim.CosineLR(adam, steps=steps) for adam in adams]
history = []
for _ in lesson.progress(range(steps), "CycleGAN"):
    a, b = (pile[rng.integers(len(pile), size=16).tolist()] for pile in (grey, outlines))  # (16, 8, 8, 3)
    critics.requires_grad_(False)
    fool, cycle, identity, fake_a, fake_b = translator_losses(a, b)
    loss = fool + 10 * cycle + 5 * identity
    loss.backward()
    assert all(p.grad is None for p in critics.parameters())  # the translators' step is theirs alone
    adams[0].step()
    adams[0].zero_grad()
    critics.requires_grad_(True)
    judged = critic_loss(real_grey, a, fake_a) + critic_loss(real_outline, b, fake_b)
    judged.backward()
    assert all(p.grad is None for p in translators.parameters())  # and the critics' step theirs
    adams[1].step()
    adams[1].zero_grad()
    for schedule in schedules:
        schedule.step()
    history.append([part.item() for part in (fool, cycle, identity, judged)])

# %% [markdown]
# **How good is it?** On test digits, and with the truth beside it: the cycle error that training looked at, the
# distance to the true partner that it never saw, and the share of digits that are still read as what they were. (An
# unchanged picture would keep its class, too, and come back without error. Only the partner tells it apart.)

# %%
with mg.no_grad():
    made_outlines, made_grey = to_outline(test_grey).data, to_grey(test_outlines).data  # (359, 8, 8, 3) each
    back_grey, back_outlines = to_grey(made_outlines).data, to_outline(made_grey).data
full = steps >= 1500  # fewer steps promise less
for name, found, truth, high in (
    ("cycle L1, grey", back_grey, test_grey, 0.05),
    ("cycle L1, outlines", back_outlines, test_outlines, 0.05),
    ("L1 to the true partner, outlines", made_outlines, test_outlines, 0.08),
    ("L1 to the true partner, grey", made_grey, test_grey, 0.08),
):
    lesson.promise(name, float(mg.l1(found, truth)), high=high if full else 0.6)
lesson.promise("class kept, to outlines", (read_outlines(made_outlines) == y_test).mean(), low=0.95 if full else None)
lesson.promise("class kept, to grey", (read_grey(made_grey) == y_test).mean(), low=0.95 if full else None)

# %%
figure, axes = plt.subplots(1, 3, figsize=(13, 4.6), width_ratios=[5, 5, 6])
columns = (
    ("grey, made, truth, back", (test_grey, made_outlines, test_outlines, back_grey)),
    ("outline, made, truth, back", (test_outlines, made_grey, test_grey, back_outlines)),
)
for ax, (title, parts) in zip(axes, columns, strict=False):
    rows = xp.stack([part[:6] for part in parts], axis=1)  # (6, 4, 8, 8, 3)
    lesson.show(ax, rows.reshape(-1, 8, 8, 3), title, columns=4)
for name, line in zip(("fool", "cycle", "identity", "critics"), np.array(history).T, strict=True):
    smooth = np.convolve(line, np.ones(20) / 20, "valid") if len(line) >= 20 else line
    axes[2].semilogy(smooth, label=name)
axes[2].set(title="Losses, mean of 20 steps", xlabel="step")
axes[2].legend()
lesson.save(figure, "10_cyclegan.png")

# %% [markdown]
# **Break it.** Here is what the losses cannot see. A cheat shuffles the outlines, and turns each grey digit into the
# outline of *another* one; its way back looks up where that came from. There and back is perfect. All that it makes
# are true pictures, to which no critic can object, and what is one already it leaves alone. So all three losses
# together like it better than our translators. Yet most classes are lost. It is not the cycle loss that kept them
# above: a small network of convolutions that begins near "change nothing", and of which each answer sees 7x7 pixels,
# does not come to shuffle. (A cycle can also be closed by hiding the original in faint noise, Chu et al. 2017.)
#
# **The exercise**: `minigen learn run gan_losses`, the other way to fool a critic.

# %%
there = rng.permutation(len(test_grey))  # (359,): digit i becomes the outline of digit there[i],
and_back = np.argsort(there)  # and outline j becomes digit and_back[j]
shuffled, unshuffled = test_outlines[there.tolist()], test_grey[and_back.tolist()]  # (359, 8, 8, 3) each
assert bool((unshuffled[there.tolist()] == test_grey).all())  # there and back: its cycle loss is 0
with mg.no_grad():
    fool, cycle, identity, *_ = translator_losses(test_grey, test_outlines)
    cheat = ((real_outline(shuffled) - 1) ** 2).mean() + ((real_grey(unshuffled) - 1) ** 2).mean()
lesson.promise("the cheat's loss, over ours", cheat / (fool + 10 * cycle + 5 * identity), high=1)
lesson.promise("the cheat, class kept", (y_test[there] == y_test).mean(), high=0.2)
weights = [mg.to_numpy(w) for w in to_outline.state_dict().values()]  # for the last cell

# %% [markdown]
# **The same in Keras and in PyTorch**: the translator with its trained `weights`, and the outlines that it `made`.
#
# ```python
# import torch
# from torch.nn import functional as F
# x = torch.tensor(test_grey).permute(0, 3, 1, 2)  # to N, C, H, W
# change = x
# for k in range(0, 6, 2):
#     w, b = map(torch.tensor, weights[k : k + 2])
#     change = F.conv2d(F.relu(change) if k else change, w.permute(3, 2, 0, 1), b, padding=1)
# made = (x + change).permute(0, 2, 3, 1)
# ```
#
# ```python
# import keras
# from keras.layers import Add, Conv2D
# x = change = keras.Input((8, 8, 3))
# for outputs, function in [(24, "relu")] * 2 + [(3, None)]:
#     change = Conv2D(outputs, 3, padding="same", activation=function)(change)
# twin = keras.Model(x, Add()([x, change]))
# twin.set_weights(weights)
# made = twin.predict(test_grey)
# ```

# %%
lesson.report(args)
