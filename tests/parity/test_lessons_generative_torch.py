"""The lessons' cells "the same in Keras and in PyTorch", generative: PyTorch gives the lessons' own numbers."""

import numpy as np
import pytest

from minigen.models import diffusion

pytestmark = pytest.mark.torch


def test_generative_or_discriminative(run, torch_cell):
    name = "4_generative/01_generative_or_discriminative.py"
    left = run(name)
    twin = {key: left[key] for key in ("means", "covariances", "log_prior", "x_test")}
    exec(torch_cell(name), twin)
    np.testing.assert_allclose(twin["log_p"].numpy(), left["log_p"]["real"], rtol=1e-9, atol=1e-9)
    assert (twin["answers"].numpy() == left["joint"].argmax(axis=1)).all()


def test_conv_vae(run, torch_cell):
    name = "4_generative/03_conv_vae_and_latents.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "z")}
    exec(torch_cell(name), twin)
    expected = left["vae"].pictures(left["z"])
    assert expected.std() > 0.01  # something is drawn
    np.testing.assert_allclose(twin["letters"].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_how_good_is_it(run, torch_cell):
    name = "4_generative/04_how_good_is_it.py"
    left = run(name)
    twin = {key: left[key] for key in ("drawn", "test")}
    exec(torch_cell(name), twin)
    assert 0 < twin["distance"].item() == pytest.approx(left["frechet_of_drawn"])


def test_gan_2d(run, torch_cell):
    name = "4_generative/05_gan_2d.py"
    left = run(name)
    twin = {key: left[key] for key in ("before", "x", "z")}
    exec(torch_cell(name), twin)
    for loss in ("d_loss", "g_loss"):
        assert twin[loss].item() == pytest.approx(left[loss].item(), rel=1e-4)
    for theirs, ours, old in zip(twin["D"], left["between"][8:], left["before"][8:], strict=True):
        assert np.abs(ours - old).max() > 5e-4  # D's step moved it: there is something to compare
        np.testing.assert_allclose(theirs.detach().numpy(), ours, atol=5e-5)


def test_gan_losses(run, torch_cell):
    name = "4_generative/06_gan_losses.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "x")}
    exec(torch_cell(name), twin)
    assert left["penalty"].item() > 1e-6  # there is something to compare
    assert twin["penalty"].item() == pytest.approx(left["penalty"].item(), rel=1e-4)
    gradient = twin["w1"].grad.numpy()
    np.testing.assert_allclose(gradient, left["d_first"], rtol=1e-3, atol=1e-5 * np.abs(gradient).max())


def test_dcgan(run, torch_cell):
    name = "4_generative/07_dcgan.py"
    left = run(name)
    twin = {key: left[key] for key in ("before", "z_first", "S")}
    exec(torch_cell(name), twin)
    ours = left["first"].numpy()  # before any step
    assert ours.std() > 0.1  # there is something to compare
    np.testing.assert_allclose(twin["fake"].numpy(), ours, atol=1e-5)


def test_conditional_gan(run, torch_cell):
    name = "4_generative/08_conditional_gan.py"
    left = run(name)
    twin = {key: left[key] for key in ("first", "x", "label", "fake", "half")}
    exec(torch_cell(name), twin)
    assert twin["d_loss"].item() == pytest.approx(left["d_loss"].item(), rel=1e-4)


def test_progressive_gan(run, torch_cell):
    name = "4_generative/09_progressive_gan.py"
    left = run(name)
    twin = {key: left[key] for key in ("h", "weights")}
    exec(torch_cell(name), twin)
    assert np.ptp(left["mixed"]) > 0.1  # there is something to compare
    np.testing.assert_allclose(twin["mixed"].permute(0, 2, 3, 1).numpy(), left["mixed"], atol=1e-5)


def test_cyclegan(run, torch_cell):
    name = "4_generative/10_cyclegan.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "test_grey")}
    exec(torch_cell(name), twin)
    made = left["made_outlines"]
    assert abs(made - left["test_grey"]).mean() > 0.01  # it does translate
    np.testing.assert_allclose(twin["made"].numpy(), made, rtol=1e-4, atol=1e-5)


def test_style_gan(run, torch_cell):
    name = "4_generative/11_style_gan.py"
    left = run(name)
    twin = {key: left[key] for key in ("x", "w", "noise", "weights")}
    exec(torch_cell(name), twin)
    assert np.ptp(left["styled"]) > 0.1
    np.testing.assert_allclose(twin["styled"].permute(0, 2, 3, 1).numpy(), left["styled"], rtol=1e-4, atol=1e-4)


def test_layout_to_image(run, torch_cell):
    name = "4_generative/12_layout_to_image.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "told")}
    exec(torch_cell(name), twin)
    assert np.ptp(left["painted"]) > 0.2  # there is something to compare
    np.testing.assert_allclose(twin["pictures"].numpy(), left["painted"], rtol=1e-4, atol=1e-4)


def test_pose_to_image(run, torch_cell):
    name = "4_generative/13_pose_to_image.py"
    left = run(name)
    twin = {key: left[key] for key in ("weights", "start", "wanted")}
    exec(torch_cell(name), twin)
    assert np.ptp(left["mended"]) > 0.2
    np.testing.assert_allclose(twin["pictures"].numpy(), left["mended"], rtol=1e-4, atol=1e-4)


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


def test_text_to_image(run, torch_cell):
    name = "4_generative/17_text_to_image.py"
    left = run(name)
    assert all((weight.grad != 0).any() for weight in left["painter"].lstm.parameters())  # it learned, too
    twin = {key: left[key] for key in ("weights", "table")}
    exec(torch_cell(name), twin)
    ours = left["painter"].read(left["table"]).numpy()
    assert np.ptp(ours, axis=0).max() > 0.01  # the captions differ: there is something to compare
    np.testing.assert_allclose(twin["last"][0].detach().numpy(), ours, atol=1e-5)


def test_which_one_when(run, torch_cell):
    name = "4_generative/18_which_one_when.py"
    left = run(name)
    twin = {key: left[key] for key in ("logits", "pixels")}
    exec(torch_cell(name), twin)
    np.testing.assert_allclose(twin["log_p"].numpy(), left["log_p"], rtol=1e-4)
    assert left["log_p"].max() < -1  # there is something to compare
