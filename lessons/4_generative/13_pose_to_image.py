"""The same figure in another pose, in two stages

Goal: draw a figure that was seen in one pose in another one: first coarse, then refined against a discriminator.
Needs: conditional GANs (lesson 4.8), the hinge loss (4.12), the Frechet distance (4.4).
Time: about 50 s on one core (--quick: 4 s).
You should see: a discriminator that makes the refined pictures sharper, by at least 0.01 (0.03 to 0.12 as the run has
    it) of the truth's sharpness, and takes them further from the truth in L1 (3 to 17%): the two do not want the same.
    In 13_walk.gif a figure walks.
"""

# %% [markdown]
# A picture of a person, and a pose: draw this person in that pose. Ma et al. (2017) split the task. A first network
# gets pose and colours about right. It is trained by a distance, so it blurs what it cannot know. A second network
# only mends: it is trained against a discriminator, which does not let blur pass.
#
# **Figures whose truth is known** have eleven bones and four colours, and are speckled at random. A pose is the angle
# of each bone: 0 hangs down. Whatever we ask of the networks, we can draw the right answer.

# %%
import numpy as np

import minigen as mg
from minigen import lesson, metrics, nn, optim, xp

args = lesson.arguments(__doc__)
plt, full = lesson.pyplot(), not args.quick
S, B, paper = 32, 11, 0.95  # pixels along a side, bones, the grey of the paper
# bones, as they are drawn: thigh, shin, thigh, shin, belly, chest, head, upper arm, lower arm, upper, lower
starts = [0, 1, 0, 3, 0, 5, 6, 6, 8, 6, 10]  # the joint where each begins; joint 0: the hip, k + 1: the end of bone k
length = mg.asarray([5.5, 5.5, 5.5, 5.5, 4, 4, 4, 4.5, 4.5, 4.5, 4.5])  # (B,)
width = mg.asarray([1.6, 1.3, 1.6, 1.3, 2.3, 2.5, 2.1, 1.3, 1.0, 1.3, 1.0])  # half of it
colour = [3, 3, 3, 3, 2, 1, 0, 1, 0, 1, 0]  # 0 skin, 1 shirt, 2 belly, 3 trousers
middles = xp.arange(S, dtype="float32") + 0.5
row, column = (grid[..., None] for grid in xp.meshgrid(middles, middles, indexing="ij"))  # (S, S, 1), of each pixel


def pose(u):  # (B - 1, n) between -1 and 1 -> (n, B) angles
    side = mg.asarray([[-1], [1]])  # left, right
    thighs, uppers = 0.2 * side + 0.5 * u[:2], side * (1.1 + 0.9 * u[2:4])  # (2, n)
    shins, lowers, trunk = thighs - 0.4 * (1 + u[4:6]), uppers + side * (0.5 + 0.9 * u[6:8]), np.pi + 0.2 * u[8]
    legs, arms = [thighs[0], shins[0], thighs[1], shins[1]], [uppers[0], lowers[0], uppers[1], lowers[1]]
    return xp.stack([*legs, trunk, trunk, trunk + 0.3 * u[9], *arms], axis=1)


def draw(angles, look):  # (n, B), colours (n, 4, 3) -> pictures (n, S, S, 3) in [0, 1], bone maps (n, S, S, B)
    ways, gone = [], []  # along each bone, and from its beginning to each pixel: down, and to the right
    for grid, hip, way in ((row, 17, length * xp.cos(angles)), (column, 16, length * xp.sin(angles))):  # way (n, B)
        joints = [hip + 0 * angles[:, 0]]  # (n,) each
        for k, start in enumerate(starts):
            joints.append(joints[start] + way[:, k])
        ways.append(way[:, None, None])  # (n, 1, 1, B)
        gone.append(grid - xp.stack([joints[start] for start in starts], axis=1)[:, None, None])  # (n, S, S, B)
    along = xp.clip((gone[0] * ways[0] + gone[1] * ways[1]) / length**2, 0, 1)
    away = xp.hypot(gone[0] - along * ways[0], gone[1] - along * ways[1])  # (n, S, S, B), of each pixel and bone
    cover, speckle = xp.clip(width + 0.5 - away, 0, 1), 0.08 * mg.random.normal((len(look), S, S, 1))
    x = xp.full((len(look), S, S, 3), paper, dtype="float32")
    for k in range(B):
        x = x + (look[:, None, None, colour[k]] + speckle - x) * cover[..., k, None]
    return xp.clip(x, 0, 1), xp.exp(away**2 / -2)  # a bone's map: 1 on its line, and fading


def pairs(n):  # one look in two poses -> picture and bone maps of the first, picture and bone maps of the second
    skin = mg.random.uniform((n, 1, 1), 0.35, 1) * mg.asarray([0.9, 0.7, 0.55])
    look = xp.concatenate([skin, mg.random.uniform((n, 3, 3), 0, 0.85)], axis=1)
    poses = [pose(mg.random.uniform((B - 1, n), -1, 1)) for _ in range(2)]
    return *draw(poses[0], look), *draw(poses[1], look)


x_seen, maps_seen, x_true, maps_wanted = pairs(200 if full else 40)

# %% [markdown]
# **Stage one.** The look is carried over bone by bone: the mean colour under a bone's map in the first picture goes
# where that bone's map is in the new pose. That has no limbs of the right width, and mixed colours wherever bones meet
# or an arm hid the chest. A network of three convolutions gets it with the maps, and draws a *difference*, which is
# added. (Ma et al. give a U-Net the first picture and the new pose, and let it find out how to carry. That takes longer
# than a lesson.)
#
# The loss is L1, the mean |difference| to the truth, with the figure's pixels counted twice: most pixels are paper.


# %%
class Mender(nn.Module):
    def __init__(self):
        first, second = (nn.Conv2d(C, 24, 3, padding=1, init=nn.init.he_normal) for C in (3 + B, 24))
        self.layers = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Conv2d(24, 3, 3, padding=1))

    def forward(self, x, maps):  # (N, S, S, 3), (N, S, S, B) -> (N, S, S, 3)
        return x + self.layers(mg.concatenate([x, maps], axis=3))


def carried(x, seen, wanted):  # a picture and its bone maps, those of the new pose -> (n, S, S, 3)
    seen, wanted = seen**4, wanted**4  # narrower
    pixels, under = x.reshape(len(x), -1, 3), seen.reshape(len(x), -1, B)  # (n, S S, 3), (n, S S, B)
    colours = under.transpose(0, 2, 1) @ pixels / under.sum(axis=1)[..., None]  # (n, B, 3)
    return (wanted @ colours[:, None] + 1e-3 * paper) / (wanted.sum(axis=3)[..., None] + 1e-3)


def distance(x, truth):  # L1, the figure's pixels counted twice
    return (mg.abs(x - truth) * (1 + (abs(truth - paper).max(axis=3)[..., None] > 0.02).astype("float32"))).mean()


mg.random.seed(args.seed)
G1, steps = Mender(), 120 if full else 8
adam = optim.Adam(G1.parameters(), lr=5e-3)
schedule = optim.CosineLR(adam, steps=steps)
for _ in lesson.progress(range(steps), "stage one"):
    x, seen, y, wanted = pairs(8)  # (8, S, S, 3), (8, S, S, B), twice
    distance(G1(carried(x, seen, wanted), wanted), y).backward()
    adam.step()
    adam.zero_grad()
    schedule.step()

# %% [markdown]
# **Stage two.** The *refiner* G2 gets the coarse picture and the maps, and draws another difference. G1 is frozen: its
# pictures are data. The *conditional discriminator* D sees a picture, true or refined, with the bone maps, and judges
# its 64 patches by the hinge loss. G2 wants D's answers high and the distance small, which keeps it to this figure.
#
# **Break it**: beside it, the same refiner learns as long without D, by the distance alone.

# %%
G1.requires_grad_(False)
refiners, steps = {}, 200 if full else 8
for name in ("without D", "with D"):
    mg.random.seed(args.seed)
    first, second = nn.Conv2d(3 + B, 24, 4, stride=2, padding=1), nn.Conv2d(24, 32, 4, stride=2, padding=1)
    D = nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2), nn.Conv2d(32, 1, 3, padding=1))
    G2 = refiners[name] = Mender()
    g_adam, d_adam = (optim.Adam(net.parameters(), betas=(0.5, 0.99)) for net in (G2, D))
    for step in lesson.progress(range(steps), f"stage two, {name}"):
        g_adam.lr = d_adam.lr = 2e-3 * min(1, 2 - 2 * step / steps)
        x, seen, y, wanted = pairs(8)
        refined = G2(G1(carried(x, seen, wanted), wanted), wanted)  # (8, S, S, 3)
        loss = distance(refined, y)
        if name == "with D":
            true, false = (D(mg.concatenate([picture, wanted], axis=3)) for picture in (y, refined.detach()))
            (mg.relu(1 - true).mean() + mg.relu(1 + false).mean()).backward()  # of (8, 8, 8, 1) each
            assert all(p.grad is None for p in G2.parameters())  # D's turn is D's alone
            d_adam.step()
            d_adam.zero_grad()
            D.requires_grad_(False)
            loss = loss - D(mg.concatenate([refined, wanted], axis=3)).mean()
        loss.backward()
        assert all(p.grad is None for net in (G1, D) for p in net.parameters())  # and G2's turn G2's
        g_adam.step()
        g_adam.zero_grad()
        D.requires_grad_(True)

# %% [markdown]
# **The measures**, on figures that no network has seen. L1, on the figure's pixels. *Sharpness*: the mean
# |difference| of neighbouring pixels there, as a multiple of the truth's. And a Frechet distance (lesson 4.4) of
# pieces of 4x4 pixels, 48 numbers each, over its floor, that of other true pictures.
#
# A second stage helps L1 either way (to 0.82 to 0.97 of the coarse one's). What D adds is sharpness. But L1 is better
# without D: where a speckle is cannot be known, so who draws one, and is wrong, pays more than a smooth guess. By the
# pieces, the coarse and both refined pictures are about as far from true ones, 13 to 19 floors as the run has it, and
# the *carried* ones, mixed colours, thick arms and all, were the nearest: a piece of 4x4 pixels is no figure. So look
# at the pictures, too.


# %%
def measures(x):  # (n, S, S, 3)
    inside = abs(x_true - paper).max(axis=3) > 0.02
    sharp = [float(abs(z[:, 1:] - z[:, :-1]).mean(axis=3)[inside[:, 1:]].mean()) for z in (x, x_true)]
    pieces = []
    for z in (x, x_true, x_seen):
        cut = mg.to_numpy(z).reshape(-1, 8, 4, 8, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 48)
        pieces.append(cut[cut.std(axis=1) > 0.02])  # without the empty ones
    return float(abs(x - x_true)[inside].mean()), sharp[0] / sharp[1], metrics.frechet_ratio(*pieces).ratio


def transfer(x, seen, wanted):  # -> {name: (n, S, S, 3)}
    with mg.no_grad():
        start = carried(x, seen, wanted)
        coarse = G1(start, wanted).data
        alone, refined = (net(coarse, wanted).data for net in refiners.values())
    drawn = {"carried": start, "coarse": coarse, "refined without D": alone, "refined": refined}
    return {name: xp.clip(x, 0, 1) for name, x in drawn.items()}


drawn = transfer(x_seen, maps_seen, maps_wanted)
found = {name: measures(x) for name, x in drawn.items()}
for name, values in found.items():
    for what, value in zip(("L1", "sharpness", "Frechet, floors"), values, strict=True):
        lesson.promise(f"{what}, {name}", value)
carry, coarse, alone, refined = found.values()
lesson.promise("L1, coarse over carried", coarse[0] / carry[0], high=0.95 if full else None)
lesson.promise("L1, refined over coarse", refined[0] / coarse[0], high=1.05 if full else None)
lesson.promise("L1, with D over without", refined[0] / alone[0], low=0.97 if full else None)
lesson.promise("sharpness, gained by D", refined[1] - alone[1], low=0.01 if full else None)

rows = {"first picture": x_seen, **drawn, "truth": x_true}
figure, ax = plt.subplots(figsize=(11, 7))
lesson.show(ax, xp.concatenate([x[:9] for x in rows.values()]), columns=9)
ax.set_yticks([(S + 1) * k + S / 2 for k in range(len(rows))], list(rows))  # the names of the rows
lesson.save(figure, "13_pose_to_image.png")

# %% [markdown]
# **It walks.** One picture of a new figure, and twelve poses. No network saw it, or a step, before. **Exercises**:
# `minigen learn run conv2d_weights`, the gradient by which the menders learn, and `gan_losses`, those of the game with
# the sigmoid in place of the hinge.

# %%
from matplotlib import animation

turn = xp.arange(12, dtype="float32") * (np.pi / 6)  # (12,)
swing, lift, rest = xp.sin(turn), xp.cos(turn), 0 * turn
u = [swing, -swing, 0.2 * swing - 0.8, -0.2 * swing - 0.8, lift, -lift, rest - 0.3, rest - 0.3, rest, rest]
look = mg.asarray([[[0.75, 0.55, 0.42], [0.8, 0.2, 0.15], [0.85, 0.7, 0.1], [0.15, 0.25, 0.6]]] * 12)
true, wanted = draw(pose(xp.stack(u)), look)
seen = [xp.concatenate([part] * 12) for part in draw(pose(mg.random.uniform((B - 1, 1), -1, 1)), look[:1])]
walk = transfer(*seen, wanted)
rows = seen[0], walk["coarse"], walk["refined"], true  # (12, S, S, 3) each
figure, ax = plt.subplots(figsize=(11, 4))
lesson.show(ax, xp.concatenate(rows), "Rows: given, coarse, refined, truth", columns=12)
path = lesson.save(figure, "13_walk.png")
figure, ax = plt.subplots(figsize=(4, 1), layout="none")
figure.subplots_adjust(0, 0, 1, 1)
ax.axis("off")
film = np.concatenate([mg.to_numpy(x) for x in rows], axis=2)  # (12, S, 4 S, 3)
frames = [[ax.imshow(frame, interpolation="nearest")] for frame in film]
animation.ArtistAnimation(figure, frames, interval=120).save(path.with_suffix(".gif"), writer="pillow")
start = carried(*seen, wanted)  # for the last cell
mended = mg.to_numpy(G2(G1(start, wanted), wanted))  # (12, S, S, 3)
start, wanted = mg.to_numpy(start), mg.to_numpy(wanted)
weights = [{name: mg.to_numpy(w) for name, w in net.state_dict().items()} for net in (G1, G2)]

# %% [markdown]
# **The same in Keras and in PyTorch**: in PyTorch both trained stages, which give `mended`; in Keras one mender.
#
# ```python
# import torch
# from torch.nn import functional as F
# def mender(weights, x, maps):
#     w, h = {name: torch.tensor(array) for name, array in weights.items()}, torch.cat([x, maps], dim=1)
#     for k in (0, 2, 4):
#         h = F.conv2d(h.relu() if k else h, w[f"layers.{k}.w"].permute(3, 2, 0, 1), w[f"layers.{k}.b"], padding=1)
#     return x + h
# x, maps = (torch.tensor(array).permute(0, 3, 1, 2) for array in (start, wanted))
# pictures = mender(weights[1], mender(weights[0], x, maps), maps).permute(0, 2, 3, 1)  # equals mended
# ```
#
# ```python
# import keras
# from keras.layers import Add, Concatenate, Conv2D
# inputs = keras.Input((S, S, 3)), keras.Input((S, S, B))
# h = Concatenate()(inputs)
# for filters, activation in ((24, "relu"), (24, "relu"), (3, None)):
#     h = Conv2D(filters, 3, padding="same", activation=activation)(h)
# mender = keras.Model(inputs, Add()([inputs[0], h]))
# ```

# %%
lesson.report(args)
