"""The PyTorch cells of lessons 4.14 to 4.16: the network that guesses the noise, a step of DDIM, the guided guess."""

import numpy as np
import pytest

from minigen.models import diffusion

pytestmark = pytest.mark.torch


def test_diffusion_2d(run, torch_cell):
    name = "4_generative/14_diffusion_2d.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "x_t", "hands", "noise")}
    exec(torch_cell(name), twin)
    assert 0 < twin["batch_loss"] == pytest.approx(left["batch_loss"], rel=1e-5)


def test_ddpm(run, torch_cell):
    name = "4_generative/15_ddpm.py"
    left = run(name)
    twin = {key: left[key] for key in ("x_t", "guess", "now", "then")}
    exec(torch_cell(name), twin)
    assert np.abs(left["x_s"] - left["x_t"]).max() > 0.1  # there is something to compare
    np.testing.assert_allclose(twin["x_s"].numpy(), left["x_s"], atol=1e-5)

    mine, alpha_bar, T, sample = (left[key] for key in ("net", "alpha_bar", "T", "sample"))
    assert (sample(mine, alpha_bar, 3, 20, 0.0) == sample(mine, alpha_bar, 3, 20, 0.0)).all()  # only the seed decides
    for steps in (0, T + 1):
        with pytest.raises(ValueError, match=f"steps is {steps}; .* it wants 1 to {T}"):
            sample(mine, alpha_bar, 3, steps)

    # the same network and sampler as minigen.models.diffusion, which lesson 4.16 imports
    np.testing.assert_allclose(diffusion.cosine_schedule(T), left["alpha_bars"]["cosine"], rtol=1e-5)
    np.testing.assert_allclose(diffusion.linear_schedule(T), left["alpha_bars"]["linear"], rtol=1e-5)
    theirs = diffusion.UNet(T=T)
    pairs = [(theirs.clock, mine.clock), (theirs.first, mine.first), (theirs.last, mine.last)]
    pairs += [(theirs.halve[0], mine.down), (theirs.double[0], mine.up)]
    for a, b in pairs:
        a.load_state_dict(b.state_dict())
    blocks = [(theirs.down[0], mine.large1), (theirs.down[1], mine.small1)]
    blocks += [(theirs.bottom, mine.small2), (theirs.up[0], mine.large2)]
    for a, b in blocks:
        a.load_state_dict({key.replace("time", "clock"): array for key, array in b.state_dict().items()})
    for steps, eta in ((T, 1.0), (7, 0.0)):
        drawn = diffusion.sample(theirs, alpha_bar, (3, 8, 8, 1), steps=steps, eta=eta, seed=5)
        of_lesson = sample(mine, alpha_bar, 3, steps, eta, seed=5)
        assert of_lesson.std() > 0.1
        np.testing.assert_allclose((drawn + 1) / 2, of_lesson, atol=2e-3)


def test_guidance(run, torch_cell):
    name = "4_generative/16_guidance.py"
    left = run(name)
    twin = {key: left[key] for key in ("without", "told", "guidance")}
    exec(torch_cell(name), twin)
    assert np.abs(left["told"] - left["without"]).max() > 1e-4  # there is something to guide with
    np.testing.assert_allclose(twin["guess"].numpy(), left["guess"], atol=1e-5)
