"""What benchmarks/quality.py measures: which lesson, with which options, and what is asked of which number."""

OTHERS = {"ns": "non-saturating", "ls": "LSGAN", "wgan": "WGAN", "gp": "WGAN-GP"}  # losses beside R1
REST = [  # of the table of losses: no targets, how they do is what the table says
    (f"{what}, {name}{unit}", None, smaller)
    for name in OTHERS.values()
    for what, unit, smaller in (("modes caught", "", False), ("good", ", %", False), ("KL", "", True))
]

# row: (lesson, its options, [(a number it promises, the target or None, whether smaller is better)])
ROWS: dict[str, tuple[str, list[str], list[tuple[str, float | None, bool]]]] = {
    "digits": ("2_vision/03_lenet.py", [], [("LeNet, % right", 98.0, False)]),
    "mnist": (
        "2_vision/03_lenet.py",
        ["--data", "mnist"],
        [("dense network, % right", 98.0, False), ("LeNet, % right", 99.0, False)],
    ),
    "fashion": ("2_vision/03_lenet.py", ["--data", "fashion_mnist"], [("LeNet, % right", 90.0, False)]),
    "anomalies": ("2_vision/05_autoencoder.py", [], [("mean AUROC, autoencoder, %", 93.0, False)]),
    "denoising": (
        "2_vision/06_denoising_and_super_resolution.py",
        [],
        [("more than the Wiener filter, dB", 1.0, False)],
    ),
    "unet": (
        "2_vision/07_unet.py",
        [],
        [("Dice, U-Net", 0.97, False), ("Dice, gained by the skips", 0.05, False)],
    ),
    "text": (
        "3_sequences/03_text.py",
        ["--data", "tinyshakespeare"],
        [("held-out nats per character", 1.55, True)],
    ),
    "numbers": (
        "3_sequences/04_spelled_numbers.py",
        [],
        [
            (f"{what}, {language}", target, False)
            for language in ("English", "Spanish")
            for what, target in (("valid", 0.95), ("valid and new", 0.5))
        ],
    ),
    "names": (
        "3_sequences/05_names.py",
        ["--data", "names"],
        [("test nats per character, RNN", 2.06, True), ("test nats per character, LSTM", 2.03, True)],
    ),
    "names_once": (
        "3_sequences/05_names.py",
        ["--data", "names", "--once", "1"],
        [(f"test nats per character, {kind}", None, True) for kind in ("RNN", "GRU", "LSTM")],
    ),
    "vae": (
        "4_generative/02_vae.py",
        ["--data", "mnist"],
        [("test loss after 7 epochs", 107.3, True), ("test loss, nats per image", 106.0, True)],
    ),
    "beta_vae": (
        "4_generative/03_conv_vae_and_latents.py",
        ["--data", "mnist"],
        [("KL falls with every beta", 1, False), ("distortion rises with every beta", 1, False)],
    ),
    "nll": (
        "4_generative/03_conv_vae_and_latents.py",
        ["--data", "mnist", "--nll", "500"],
        [("importance-weighted NLL, nats", 92.0, True), ("tossed MNIST, the bound, nats", None, True)],
    ),
    "gan_ring": (
        "4_generative/06_gan_losses.py",
        [],
        [("modes caught, R1", 8, False), ("good, R1, %", 95.0, False), ("KL, R1", 0.02, True), *REST],
    ),
    "gan_grid": (
        "4_generative/06_gan_losses.py",
        ["--data", "grid", "--steps", "8000", "--only", "R1"],
        [("modes caught, R1", 25, False), ("good, R1, %", 92.0, False), ("KL, R1", 0.02, True)],
    ),
    "gan_grid_table": (  # the same budget for all five, less than R1 needs
        "4_generative/06_gan_losses.py",
        ["--data", "grid", "--steps", "3000"],
        [("modes caught, R1", None, False), ("good, R1, %", None, False), ("KL, R1", None, True), *REST],
    ),
    "dcgan_digits": (
        "4_generative/07_dcgan.py",
        [],
        [("floors", None, True), ("classes drawn", 10, False), ("label entropy", 2.25, False)],
    ),
    "dcgan_mnist": (
        "4_generative/07_dcgan.py",
        ["--data", "mnist"],
        [("floors", None, True), ("classes drawn", 10, False), ("label entropy", 2.25, False)],
    ),
    "dcgan_glyphs": (  # 3.2555: the same share of ln 28 as 2.25 of ln 10
        "4_generative/07_dcgan.py",
        ["--data", "glyphs"],
        [("floors", None, True), ("classes drawn", 28, False), ("label entropy", 3.2555, False)],
    ),
    "cgan_digits": (
        "4_generative/08_conditional_gan.py",
        [],
        [("asked-for class, %", 95.0, False), ("label entropy", 2.25, False), ("floors", None, True)],
    ),
    "cgan_mnist": (
        "4_generative/08_conditional_gan.py",
        ["--data", "mnist"],
        [("asked-for class, %", 95.0, False), ("label entropy", 2.25, False), ("floors", None, True)],
    ),
    "cgan_glyphs": (
        "4_generative/08_conditional_gan.py",
        ["--data", "glyphs"],
        [("asked-for class, %", 95.0, False), ("label entropy", 3.2555, False), ("floors", None, True)],
    ),
    **{
        f"stacked_{short}": (  # three letters in one picture, 1,000 modes
            "4_generative/06_gan_losses.py",
            ["--data", "stacked", "--only", name],
            [(f"modes caught, {name}", None, False), (f"good, {name}, %", None, False), (f"KL, {name}", None, True)],
        )
        for short, name in {"r1": "R1", **OTHERS}.items()
    },
    "progressive": (
        "4_generative/09_progressive_gan.py",
        [],
        [
            ("distance, grown over at once", 1.0, True),
            ("multiplications, grown over at once", 1.0, True),
            ("distance at 56x56, grown, floors", None, True),
            ("distance at 56x56, at once, floors", None, True),
        ],
    ),
    "cyclegan": (
        "4_generative/10_cyclegan.py",
        [],
        [
            *((f"cycle L1, {kind}", 0.05, True) for kind in ("grey", "outlines")),
            *((f"L1 to the true partner, {kind}", 0.08, True) for kind in ("grey", "outlines")),
            *((f"class kept, to {kind}", 0.95, False) for kind in ("grey", "outlines")),
        ],
    ),
    "style": (
        "4_generative/11_style_gan.py",
        [],
        [
            ("letter, coarse over fine, 7x7 | 14x14", 0.0, False),
            ("thickness, fine over coarse, 7x7 | 14x14", 0.0, False),
            ("slant, fine over coarse, 7x7 | 14x14", 0.0, False),
            ("letter, coarse over fine, 14x14 | 28x28", None, False),
            ("distance, floors", None, True),
        ],
    ),
    "layout": (
        "4_generative/12_layout_to_image.py",
        [],
        [
            ("pixel accuracy, SPADE", None, False),
            ("mIoU, SPADE", None, False),
            ("correlation with the light, SPADE", None, False),
            ("pixel accuracy, one kind everywhere, SPADE", None, False),
            ("pixel accuracy, one kind everywhere, without", None, True),
        ],
    ),
    "pose": (
        "4_generative/13_pose_to_image.py",
        [],
        [
            ("L1, coarse", None, True),
            ("L1, refined", None, True),
            ("sharpness, coarse", None, False),
            ("sharpness, refined", None, False),
            ("Frechet, floors, coarse", None, True),
            ("Frechet, floors, refined", None, True),
        ],
    ),
    **{
        f"diffusion_{name}": (
            "4_generative/14_diffusion_2d.py",
            ["--data", name],
            [("drawn and real, times the floor", 1.5, True)],
        )
        for name in ("moons", "rings", "spiral")
    },
    **{
        row: (
            "4_generative/15_ddpm.py",
            options,
            [
                ("200 steps of DDPM: Frechet distance, times the floor", 2.0, True),
                ("200 steps of DDPM: coverage", 0.95, False),
                ("200 steps of DDPM: to the nearest, times real", 0.95, False),
                ("DDIM in 20 steps, times the distance of all steps", 1.25, True),
            ],
        )
        for row, options in (("ddpm", []), ("ddpm_linear", ["--schedule", "linear", "--steps", "2000"]))
    },
    "guidance": (
        "4_generative/16_guidance.py",
        [],
        [
            ("DDPM: asked-for digit seen", 0.97, False),
            ("DDPM: Frechet distance, times the floor", 2.0, True),
            ("DDPM: coverage", 0.95, False),
            ("DDPM: to the nearest, times real", 0.95, False),
            ("recall lost from guidance 1 to 5", None, False),
        ],
    ),
    "ddpm_mnist": (  # a quarter of an hour: such a network belongs on a GPU
        "4_generative/15_ddpm.py",
        ["--data", "mnist"],
        [
            ("200 steps of DDPM: Frechet distance, times the floor", None, True),
            ("200 steps of DDPM: label entropy", None, False),
            ("200 steps of DDPM: to the nearest, times real", None, False),
            ("20 steps of DDIM: Frechet distance, times the floor", None, True),
        ],
    ),
    "guidance_mnist": (
        "4_generative/16_guidance.py",
        ["--data", "mnist"],
        [
            ("DDPM: asked-for digit seen", None, False),
            ("DDPM: Frechet distance, times the floor", None, True),
            ("recall lost from guidance 1 to 5", None, False),
        ],
    ),
    "text_to_image": (
        "4_generative/17_text_to_image.py",
        [],
        [
            ("asked: all of it", 0.9, False),
            ("asked: letter", 0.9, False),
        ],
    ),
    "families": (
        "4_generative/18_which_one_when.py",
        [],
        [
            *(
                (f"{name}: Frechet distance, floors", None, True)
                for name in ("Gaussian", "VAE", "GAN", "diffusion", "LSTM")
            ),
            ("LSTM: bits a pixel", None, True),
        ],
    ),
}
