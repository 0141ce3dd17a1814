"""Why does it not learn?

Goal: six checks that find a mistake in a training program, run on eight programs with one mistake planted in each.
Needs: losses and descent (lesson 1.6), your own autograd (1.7), gradient checking (1.8).
Time: about 5 s (--quick: the same).
You should see: a sound program with 92 to 95 % of the test digits right; eight others that run without complaint, of
    which three do little more than guess (10 to 20 %); who fails which check: none of the eight passes all.
"""

# %% [markdown]
# A mistake in a training program seldom stops it: the loss falls a little, and the task is called a hard one. The
# checks of this lesson take seconds. First the program that is right:

# %%
import minigen as mg
from minigen import data, lesson, nn, optim, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()
images, labels, x_test, y_test = (mg.asarray(part) for part in data.digits())
images, x_test = images.reshape(-1, 64), x_test.reshape(-1, 64)  # (1438, 64), (359, 64)
N, H, C = 32, 64, 10  # images in a batch, hidden units, classes
x, t = images[:N], labels[:N]  # (N, 64), (N,): one batch, for the checks


# %%
# fmt: off
class Sound(nn.Module):
    dense, lr, zero_grad_first = staticmethod(mg.dense), 0.3, True
    def __init__(self):
        mg.seed(args.seed)  # all programs start alike
        self.first, self.second = nn.Dense(64, H), nn.Dense(H, C)
    def hidden(self, x):  return mg.relu(self.dense(x, self.first.w, self.first.b))  # (N, 64) -> (N, H)
    def forward(self, x): return self.dense(self.hidden(x), self.second.w, self.second.b)  # (N, 64) -> (N, C), scores
    def loss(self, x, t): return mg.cross_entropy(self(x), t)
    def train_on(self, batches):
        sgd, losses = optim.SGD(self.parameters(), lr=self.lr), []
        for x, t in batches:
            loss = self.loss(x, t)
            if self.zero_grad_first:
                sgd.zero_grad()
            loss.backward()
            sgd.step()
            losses.append(loss.item())
        return losses
# fmt: on

# %% [markdown]
# **Eight mistakes.** Each program below replaces one thing; the rest is `Sound`'s. All run without complaint, and most
# learn something. With 60 to 90 % of the test images right, and no sound program beside it, each might pass.


# %%
# fmt: off
@mg.op
class my_dense:
    """y = x @ w + b"""
    def forward(x, w, b): return x @ w + b
    def d_x(dy, w): return dy @ w.T
    def d_w(dy, x): return x.T @ dy / x.shape[0]  # the mean over the batch; the loss has divided by N already
    def d_b(dy): return dy.sum(axis=0)

class OwnDense(Sound):
    dense = staticmethod(my_dense)
class TooSlow(Sound):
    lr = 1e-4
class TooFast(Sound):
    lr = 10.0
class NoZeroGrad(Sound):
    zero_grad_first = False
class SoftmaxTwice(Sound):
    def loss(self, x, t): return mg.cross_entropy(mg.softmax(self(x)), t)  # cross_entropy has a softmax in it
class WrongAxis(Sound):
    def loss(self, x, t): return -mg.log(mg.softmax(self(x), axis=0)[xp.arange(len(t)), t]).mean()  # over the batch
class CutOff(Sound):
    def hidden(self, x): return mg.tensor(super().hidden(x).data)  # .data leaves the graph
class LargeWeights(Sound):
    def __init__(self):
        super().__init__()
        self.first.w.data, self.second.w.data = mg.random.normal((64, H)), mg.random.normal((H, C))
# fmt: on

# %%
programs = [Sound, LargeWeights, WrongAxis, SoftmaxTwice, TooSlow, TooFast, CutOff, NoZeroGrad, OwnDense]
curves, accuracy = {}, {}
for program in lesson.progress(programs, "training", stoppable=False):
    network, loader = program(), data.batches(images, labels, batch_size=N, seed=args.seed)
    losses = curves[program.__name__] = network.train_on(batch for _ in range(7) for batch in loader)  # 315 steps
    right = accuracy[program.__name__] = float((network(x_test).data.argmax(axis=1) == y_test).mean())
    print(f"  {program.__name__:<13} last loss {losses[-1]:5.2f}, right in the test {right:.0%}")
lesson.promise("Sound: accuracy in the test", accuracy["Sound"], low=0.90)
lesson.promise("programs that only guess", sum(right < 0.25 for right in accuracy.values()), low=3, high=3)

# %% [markdown]
# **1. The first loss.** A network that knows nothing gives each of C classes the probability 1 / C, so its first loss
# is ln C, here 2.30. Weights that are too large make it very sure, of nothing: a far larger loss. With softmax over the
# wrong axis the N images, not the classes, share a probability of 1: a loss near ln N = 3.47, which names the axis.

# %%
table = {}  # check -> program -> (what was measured, whether that is healthy)


def ask(name, check, least, most):  # of every program; gives the names of those that fail
    table[name] = {program.__name__: (value := check(program), least <= value <= most) for program in programs}
    failed = {program: f"{value:.3g}" for program, (value, healthy) in table[name].items() if not healthy}
    print(f"{name}: Sound {table[name]['Sound'][0]:.3g}, healthy from {least} to {most}; failed: {failed}")
    return set(failed)


assert ask("first loss", lambda program: program().loss(x, t).item(), 2.1, 2.5) == {"LargeWeights", "WrongAxis"}
lesson.promise("WrongAxis: first loss", table["first loss"]["WrongAxis"][0], low=3.2, high=3.8)

# %% [markdown]
# **2. One batch.** Train on 32 images only, 200 steps. A sound program learns them by heart, to a loss near 0. One that
# cannot is broken, and more data will not mend it. Most mistakes fail this check, so it tells *that*, not *what*. But a
# softmax of a softmax stays above ln(e + 9) - 1 = 1.46, for its inputs are probabilities, at most 1 apart. And it is
# not enough: on one batch `NoZeroGrad` does well. It is on many that its old gradients drive it away.

# %%
fitted = {program: program() for program in programs}  # to one batch; check 4 uses them, too
last = {program: network.train_on([(x, t)] * 200)[-1] for program, network in fitted.items()}
failed = ask("one batch", last.get, 0.0, 0.1)
assert {"SoftmaxTwice", "WrongAxis", "TooSlow", "TooFast", "CutOff"} <= failed
lesson.promise("SoftmaxTwice: loss of one batch", table["one batch"]["SoftmaxTwice"][0], low=1.46)

# %% [markdown]
# **3. Update to weight.** How long is the first step, next to the weights that it changes? A rule of thumb for plain
# SGD: 0.001 to 0.1. Below, it takes for ever; above, each step throws away what was there. Exactly 0: no gradient
# arrives. The stepper shows how far it gets: in `CutOff` the walk back never comes to relu and the first layer.


# %%
def update_to_weight(program):
    network = program()
    before = network.first.w.data.copy()  # (64, H)
    network.train_on([(x, t)])
    return float(((network.first.w.data - before) ** 2).sum() / (before**2).sum()) ** 0.5


assert {"TooSlow", "TooFast", "CutOff"} <= ask("update / weight", update_to_weight, 1e-3, 0.1)
for program in (Sound, CutOff):
    print(f"  {program.__name__}: {[step.op.__name__ for step in mg.backprop(program().loss(x, t))]}")

# %% [markdown]
# **4. Dead units.** A relu whose input is below 0 for every image gives 0 for every image, and sends 0 back: its
# weights get no gradient and stay as they are, for good. One step that is far too long can do that to most of a layer.
# In the stepper: at relu a gradient comes *in*, and 0 goes *out*. (`mg.watch` has it note values and lines.)

# %%
largest = {program: network.hidden(images).data.max(axis=0) for program, network in fitted.items()}  # (H,) each
assert "TooFast" in ask("dead units", lambda program: float((largest[program] == 0).mean()), 0.0, 0.3)
with mg.watch():
    loss = fitted[TooFast].loss(x, t)
print(next(step for step in mg.backprop(loss) if step.op is mg.relu))

# %% [markdown]
# **5. Stale gradients.** Take the gradient of one batch twice, with lr 0, so that nothing moves. Without `zero_grad`
# the second one is twice as long: `.grad` adds up. **6. Your own operations** go to the checker of lesson 1.8. Checks 2
# and 3 tell that something is wrong with `OwnDense`; the checker tells what.


# %%
def stale(program):
    network, lengths = program(), []
    network.lr = 0.0
    for _ in range(2):
        network.train_on([(x, t)])
        lengths.append(float(abs(network.second.b.grad).max()))
    return lengths[1] / lengths[0]


assert ask("stale", stale, 0.99, 1.01) == {"NoZeroGrad"}
inputs = x[:7, 20:25], mg.random.normal((5, 3)), xp.ones(3)  # (7, 5), (5, 3), (3,)
wrong = ask("own operations", lambda program: int(not mg.check.examine(program.dense, *inputs).ok), 0, 0)
assert wrong == {"OwnDense"}
print(mg.check.examine(my_dense, *inputs))

# %%
names = list(accuracy)
figure, axes = plt.subplots(1, 2, figsize=(13, 4), width_ratios=[1, 1.6])
for name in names:
    smooth = [sum(curves[name][i : i + 15]) / 15 for i in range(300)]
    axes[0].plot(smooth, "-" if names.index(name) < 6 else "--", label=name)
axes[0].set(title="Loss in training, mean of 15 steps", xlabel="step", ylim=(0, 6))
axes[0].legend(loc="upper right", fontsize=8, ncols=3, frameon=True, framealpha=1)
colours = [[not table[check][name][1] for check in table] for name in names]  # failed or not
axes[1].imshow(colours, cmap="Oranges", vmax=2, aspect="auto")
for row, name in enumerate(names):
    for column, check in enumerate(table):
        axes[1].text(column, row, f"{table[check][name][0]:.2g}", ha="center", va="center")
axes[1].set(title="The checks, failed ones in colour", xticks=range(6), xticklabels=list(table))
axes[1].set_yticks(range(9), [f"{name} ({accuracy[name]:.0%} right)" for name in names])
lesson.save(figure, "10_why_does_it_not_learn.png")
assert [name for name, row in zip(names, colours, strict=True) if not any(row)] == ["Sound"]  # and no other

# %% [markdown]
# **Break it.** Give each image its neighbour's label. All six checks pass: 32 images can be learnt by heart with any
# labels. One number tells, the loss of *all* images, which stays near ln C. So before all checks, look at some images
# with their labels, as the program gets them.

# %%
shifted = labels[xp.arange(len(labels)) - 1]  # (1438,)
lesson.promise("wrong labels: loss of one batch", Sound().train_on([(x, shifted[:N])] * 200)[-1], high=0.1)
network, pairs = Sound(), data.batches(images, shifted, batch_size=N, seed=args.seed)
network.train_on(batch for _ in range(7) for batch in pairs)
lesson.promise("wrong labels: loss of all images", network.loss(images, shifted), low=2.0)

# %% [markdown]
# **The exercises**: `minigen learn run dense_bias` and `softmax`; try a mean in the one, another axis in the other.
#
# **The same in Keras and in PyTorch**: checks 1 and 2, from the weights that `Sound()` starts with.
#
# ```python
# import torch
# x, t, start = torch.tensor(x), torch.tensor(t), [torch.tensor(p.data.T) for p in Sound().parameters()]
# network = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
# network.load_state_dict(dict(zip(network.state_dict(), start)))  # PyTorch's weights are (outputs, inputs)
# sgd, losses = torch.optim.SGD(network.parameters(), lr=0.3), []
# for _ in range(200):
#     loss = torch.nn.functional.cross_entropy(network(x), t)
#     sgd.zero_grad()
#     loss.backward()
#     sgd.step()
#     losses.append(loss.item())
# ```
#
# ```python
# import keras
# layers = [keras.Input((64,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10)]
# network = keras.Sequential(layers)
# network.set_weights([parameter.numpy() for parameter in Sound().parameters()])
# network.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
# print(network.evaluate(x, t))  # check 1
# ```

# %%
lesson.report(args)
