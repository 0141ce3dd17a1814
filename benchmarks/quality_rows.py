"""What benchmarks/quality.py measures: which lesson, with which options, and what is asked of which number."""

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
        ["--data", "names", "--repeats", "0"],
        [(f"test nats per character, {kind}", None, True) for kind in ("RNN", "GRU", "LSTM")],
    ),
    "vae": (
        "4_generative/02_vae.py",
        ["--data", "mnist"],
        [("test loss after 7 epochs", 107.3, True), ("test loss, nats per image", 106.0, True)],
    ),
}
