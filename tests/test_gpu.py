"""What only a real GPU can show: the same numbers as on the CPU. Skipped, saying why, where there is none."""

import numpy as np
import pytest

import minigen as mg
from minigen import backend, nn, optim

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def on_the_gpu():
    before = backend.current()
    try:
        mg.use("cupy")
    except RuntimeError as error:
        pytest.skip(str(error))
    yield
    mg.use(before)


def trained(model, weights, x, y):
    """The losses of five steps of Adam from these weights."""
    model.load_state_dict({name: mg.asarray(w) for name, w in weights.items()})
    adam, losses = optim.Adam(model.parameters(), lr=1e-2), []
    for _ in range(5):
        loss = mg.cross_entropy(model(mg.asarray(x)), mg.asarray(y))
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return losses


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dense(64, 10)
    )


class Recurrent(nn.Module):
    def __init__(self):
        self.lstm, self.out = nn.LSTM(8, 16), nn.Dense(16, 10)

    def forward(self, x):
        return self.out(self.lstm(x[:, :, :, 0])[0][:, -1])


@pytest.mark.parametrize("make", [convolutional, Recurrent])
def test_training_gives_the_numbers_of_the_cpu(make):
    x = np.random.default_rng(0).random((10, 8, 8, 1), dtype=np.float32)
    y = np.arange(10) % 10
    weights = {name: mg.to_numpy(w) for name, w in make().state_dict().items()}
    on_gpu = trained(make(), weights, x, y)
    with mg.using("numpy"):
        on_cpu = trained(make(), weights, x, y)
    np.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-4)


def test_nothing_mixes_host_and_device():
    with pytest.raises(TypeError):
        mg.tensor([1.0, 2.0]) + np.ones(2)
