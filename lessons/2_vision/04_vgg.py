"""VGG: deep stacks of small convolutions

Goal: see what many 3x3 convolutions have over one large kernel: in what they see, what they cost, how they learn.
Needs: convolution, pooling and LeNet (lessons 2.2 and 2.3), standard deviation.
Time: about 35 s, and 1.4 GB of memory (--quick: 5 s, without running VGG-16).
You should see: VGG-16's 138,357,544 parameters and its view of 212 x 212 pixels, measured; on letters fewer errors by
    stacks of 3x3 than by 7x7 kernels with as many parameters (about 4 % and 5 %), and fewer with batch norm.
"""

# %% [markdown]
# LeNet has two convolutions of 5x5. Simonyan and Zisserman (2014) asked what depth alone brings, and built networks
# of up to 16 convolutions of 3x3: VGG, after their group in Oxford. Two numbers say why 3x3.
#
# **The receptive field** of a number inside a network is the patch of the image that it depends on. A kernel of k x k
# adds k - 1 to its side; after a pooling of stride 2, neighbours are two pixels apart, so it adds twice that.
# **The parameters**: from C channels to C, a k x k kernel has k² C² weights. So three 3x3 layers see as much as one
# 7x7, with 27 C² weights instead of 49 C², and with three ReLUs instead of one.

# %%
import minigen as mg
from minigen import data, lesson, nn, optim, xp

args = lesson.arguments(__doc__)
plt = lesson.pyplot()


def receptive_field(layers):  # [(kernel, stride), ...] -> the side of the patch, in pixels
    side, step = 1, 1  # step: how far apart two neighbours are, in pixels
    for kernel, stride in layers:
        side += (kernel - 1) * step
        step *= stride
    return side


assert [receptive_field([(3, 1)] * depth) for depth in (1, 2, 3)] == [3, 5, 7]

# %% [markdown]
# **VGG-16** in one line: how many channels each convolution gives, and M where a 2x2 pooling halves the picture. Does
# the formula hold? Backprop can tell: the gradient of *one* output with respect to the image is 0 at the pixels that
# it does not depend on. For this a skeleton of the network is enough: one channel, all weights equal, and average for
# max pooling, so that no path is lost. The figure shows more: more paths lead to the middle of a patch than to its
# edge, so the *effective* receptive field of a stack is a bell, narrower than the formula (Luo et al. 2016).

# %%
plan = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]
vgg16_layers = [(2, 2) if entry == "M" else (3, 1) for entry in plan]  # (kernel, stride) each
views = {"one 7x7": [(7, 1)], "three 3x3": [(3, 1)] * 3, "VGG-16": vgg16_layers}


def seen(layers, size):  # the gradient of the output's middle with respect to the image -> (size, size)
    image = mg.tensor(xp.ones((1, size, size, 1), dtype="float32"), requires_grad=True)  # (N, H, W, C)
    y = image
    for k, stride in layers:
        weights = xp.full((k, k, 1, 1), 1 / k**2, dtype="float32")  # (KH, KW, C, F)
        y = mg.conv2d(y, weights, padding=k // 2) if stride == 1 else mg.avg_pool2d(y, kernel=k)
    y[0, y.shape[1] // 2, y.shape[2] // 2, 0].backward()
    return image.grad[0, :, :, 0]


# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6))
for ax, (name, layers) in zip(axes, views.items(), strict=True):
    gradient = seen(layers, 224 if name == "VGG-16" else 15)  # (size, size)
    measured = int((gradient != 0).any(axis=0).sum())  # the columns that matter
    assert measured == receptive_field(layers)
    picture = ax.imshow(mg.to_numpy(gradient / gradient.max()), vmin=0, vmax=1)
    ax.set(title=f"Seen through {name}", xlabel="column of the image", ylabel="row")
figure.colorbar(picture, ax=axes, label="gradient, largest = 1", shrink=0.8)
lesson.promise("side of VGG-16's receptive field", measured, low=212, high=212)
lesson.save(figure, "04_vgg_receptive_field.png")

# %% [markdown]
# **VGG-16 itself**, with its three dense layers for the 1000 classes of ImageNet. Nine tenths of its parameters are in
# these, most of them in the first: 7 x 7 x 512 inputs to each of 4096 units. At 4 bytes each they all take 553 MB. Then
# one picture goes through (not with --quick). An untrained network's answers mean nothing, but they are neither 0 nor
# millions: the next cell shows why.

# %%
init = nn.init.zeros if args.quick else nn.init.he_normal  # zeros that nobody touches cost no memory
layers, channels = [], 3
for entry in plan:
    if entry == "M":
        layers += [nn.MaxPool2d(2)]
    else:
        layers += [nn.Conv2d(channels, entry, 3, padding=1, init=init), nn.ReLU()]
        channels = entry
layers += [nn.Flatten(), nn.Dense(7 * 7 * 512, 4096, init=init), nn.ReLU()]
layers += [nn.Dense(4096, 4096, init=init), nn.ReLU(), nn.Dense(4096, 1000, init=init)]
vgg16 = nn.Sequential(*layers)
print(vgg16)
count = lesson.promise("VGG-16's parameters", vgg16.parameter_count(), low=138_357_544, high=138_357_544)

# %%
if not args.quick:
    letter = mg.asarray(data.glyphs(1, size=224, seed=args.seed).images)  # (1, 224, 224, 1)
    with mg.no_grad():
        scores = vgg16(xp.repeat(letter, 3, axis=3))  # (1, 224, 224, 3) -> (1, 1000)
    lesson.promise("spread of the 1000 scores", scores.data.std(), low=0.1, high=10)
del vgg16, layers  # the half gigabyte is free again

# %% [markdown]
# **Why deep networks were hard.** Each layer multiplies the signal by some factor, and 13 layers do it 13 times. He
# et al. (2015) draw weights of variance 2 / (inputs of a unit), which makes that factor about 1 for ReLU layers.
# **Batch norm** (Ioffe and Szegedy 2015) keeps the size for any weights: each channel is normalised over the batch, N,
# and all pixels, H and W:  x_hat = (x - mean) / sqrt(var + eps),  y = gamma x_hat + beta.  A scale gamma and a shift
# beta for each channel are learned; eps = 1e-5 prevents a division by 0. In use there may be just one picture, no
# batch: so in training the layer keeps running averages of mean and var; `net.eval()` switches to these, `net.train()`
# back.

# %%
x = 5 * mg.random.normal((8, 6, 6, 4)) + 3  # (N, H, W, C)
mean, var = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))  # (C,), (C,)
by_hand = (x - mean) / xp.sqrt(var + 1e-5)  # (N, H, W, C); gamma is 1 and beta 0 at first
norm = nn.BatchNorm(4)
assert float(abs(norm(x).data - by_hand).max()) < 1e-4

# %%
strength, small, he = {}, nn.init.fan_in_uniform, nn.init.he_normal
for name, init in {"small weights": small, "He's weights": he, "small weights, batch norm": small}.items():
    signal, strength[name] = mg.random.normal((8, 16, 16, 32)), []  # (N, H, W, C)
    for _ in range(13):
        signal = nn.Conv2d(32, 32, 3, padding=1, bias=False, init=init)(signal)
        signal = mg.relu(nn.BatchNorm(32)(signal) if "norm" in name else signal)  # (N, H, W, C)
        strength[name].append(float((signal.data**2).mean()) ** 0.5)
    print(f"{name}: {strength[name][0]:.2g} after 1 layer, {strength[name][-1]:.2g} after 13")
lesson.promise("small weights leave, after 13 layers", strength["small weights"][-1], high=1e-3)
lesson.promise("with batch norm", strength["small weights, batch norm"][-1], low=0.5, high=1)

# %% [markdown]
# **The contest**: 28 letter forms, 20 examples of each. A network has two stages, of 16 and 32 channels, each ended by
# a pooling. A stage is a *stack* of three 3x3, or one 7x7 with the same view; both networks have about as many
# parameters, as the first kernel of a stage reads fewer channels. The stack also runs without batch norm.

# %%
x_train, y_train, _ = data.glyphs(280 if args.quick else 560, seed=2 * args.seed)  # (N, 28, 28, 1), (N,)
x_test, y_test, _ = data.glyphs(560 if args.quick else 2800, seed=2 * args.seed + 1)
x_train, y_train, x_test, y_test = (mg.asarray(part) for part in (x_train, y_train, x_test, y_test))


def network(kernels, normalise=True):  # kernels: those of each stage
    layers, inputs = [], 1
    for outputs in (16, 32):
        for kernel in kernels:
            layers += [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, init=nn.init.he_normal)]
            layers += [nn.BatchNorm(outputs), nn.ReLU()] if normalise else [nn.ReLU()]
            inputs = outputs
        layers += [nn.MaxPool2d(2)]  # (N, 14, 14, 16), then (N, 7, 7, 32)
    return nn.Sequential(*layers, nn.Flatten(), nn.Dense(7 * 7 * 32, 28))


def test_error(net):  # in %, a hundred pictures at a time
    with mg.no_grad():
        hundreds = data.batches(x_test, y_test, batch_size=100, shuffle=False)
        return 100 * sum(float((net(x).argmax(axis=1) != y).sum()) for x, y in hundreds) / len(x_test)


# %%
errors, histories, epochs = {}, {}, 3 if args.quick else 12
nets = {"3x3 stacks": ([3, 3, 3], True), "7x7 kernels": ([7], True), "3x3 stacks, no batch norm": ([3, 3, 3], False)}
for name, (kernels, normalise) in nets.items():
    mg.seed(args.seed)
    net = network(kernels, normalise)
    adam = optim.Adam(net.parameters(), lr=2e-3)
    loader, losses = data.batches(x_train, y_train, batch_size=28, seed=args.seed), []
    for _ in lesson.progress(range(epochs), name):
        for images, labels in loader:  # (n, 28, 28, 1), (n,)
            loss = mg.cross_entropy(net(images), labels)
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item())
    net.eval()
    nets[name], errors[name] = net, test_error(net)
    histories[name] = mg.to_numpy(xp.asarray(losses)).reshape(-1, len(loader)).mean(axis=1)  # (epochs,)
    print(f"{name}: {net.parameter_count():,} parameters, test error {errors[name]:.1f} %")

# %%
stacks, kernels, without = errors.values()
lesson.promise("test error of the 3x3 stacks, in %", stacks, high=80 if args.quick else 6)
lesson.promise("times the errors of the 7x7 kernels", stacks / kernels, high=None if args.quick else 1)
lesson.promise("times the errors without batch norm", stacks / without, high=None if args.quick else 1)

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6))
for name, values in strength.items():
    axes[0].semilogy(range(1, 14), values, label=name)
axes[0].set(title="The signal on its way through 13 layers", xlabel="layer", ylabel="root mean square")
for name, history in histories.items():
    axes[1].semilogy(range(1, len(history) + 1), history, label=f"{name}: test error {errors[name]:.1f} %")
axes[1].set(title="Learning letters", xlabel="epoch", ylabel="training loss")
axes[0].legend()
axes[1].legend()
lesson.save(figure, "04_vgg_training.png")

# %% [markdown]
# **Break it.** Forget `net.eval()`, and test one letter form after the other. All pictures of a batch are alike now,
# and batch norm takes away what they have in common: the letter. That makes about twice as many errors; and none of
# them would show if the test pictures came well mixed.
#
# **Exercises**: `minigen learn run batch_norm`, `batch_norm_scale`, `batch_norm_input`; and `layer_norm`, which needs
# no batch (Ba, Kiros and Hinton 2016): it takes mean and variance of one example, over its features.

# %%
order = xp.argsort(y_test)
x_test, y_test = x_test[order], y_test[order]  # a hundred A, then a hundred B, ...
broken = test_error(nets["3x3 stacks"].train())
lesson.promise("without eval(), times the errors", broken / stacks, low=None if args.quick else 1.3)

# %% [markdown]
# **The same in Keras and in PyTorch**: VGG-16's parameters (on the device "meta" nothing is allocated), and batch norm
# of the lesson's `x`. PyTorch's images are N, C, H, W.
#
# ```python
# import torch
# layers, channels = [], 3
# with torch.device("meta"):
#     for outputs in (entry for entry in plan if entry != "M"):  # a pooling has no parameters
#         layers.append(torch.nn.Conv2d(channels, outputs, 3, padding=1))
#         channels = outputs
#     layers += [torch.nn.Linear(m, n) for m, n in ((7 * 7 * 512, 4096), (4096, 4096), (4096, 1000))]
# count = sum(p.numel() for layer in layers for p in layer.parameters())
# y = torch.nn.BatchNorm2d(4)(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
# ```
#
# ```python
# import keras
# count = keras.applications.VGG16(weights=None).count_params()
# y = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x, training=True)
# ```

# %%
lesson.report(args)
