"""How good a generative model is, in numbers. Every metric can be fooled; two that are fooled differently cannot.

    judge = metrics.classifier("digits")                      # our own small network; also "glyphs", "mnist"
    real, test, drawn = (judge.features(images) for images in (x_train, x_test, generated))
    metrics.frechet_ratio(drawn, test, real).ratio            # 1: as close to new real images as real ones
    metrics.density_coverage(real, drawn)                     # good? varied?
    metrics.label_entropy(judge.labels(generated), 10)        # all classes?
    metrics.memorising(generated, x_test, x_train)            # new, or copied?

Features and points are rows: (N, F), of any backend; the numbers are computed on the host, in float64.
"""

from minigen.metrics.classifiers import Classifier, classifier
from minigen.metrics.coverage import DensityCoverage, PrecisionRecall, density_coverage, precision_recall
from minigen.metrics.frechet import FrechetRatio, frechet_distance, frechet_gaussians, frechet_ratio
from minigen.metrics.kernel import kernel_distance
from minigen.metrics.labels import inception_score, label_accuracy, label_entropy
from minigen.metrics.likelihood import bits_per_dimension, elbo, importance_weighted_nll
from minigen.metrics.memorising import memorising, nearest_distance
from minigen.metrics.plane import Modes, modes, sliced_wasserstein

__all__ = [
    "Classifier",
    "DensityCoverage",
    "FrechetRatio",
    "Modes",
    "PrecisionRecall",
    "bits_per_dimension",
    "classifier",
    "density_coverage",
    "elbo",
    "frechet_distance",
    "frechet_gaussians",
    "frechet_ratio",
    "importance_weighted_nll",
    "inception_score",
    "kernel_distance",
    "label_accuracy",
    "label_entropy",
    "memorising",
    "modes",
    "nearest_distance",
    "precision_recall",
    "sliced_wasserstein",
]
