"""Diffusion: the loss

Lesson: 4_generative/14_diffusion_2d

The network sees x_t = sqrt(alpha_bar) · x_0 + sqrt(1 - alpha_bar) · noise, and guesses the noise that is in it. Whoever
knows the noise knows the picture, too: turn that equation round, and write `denoised`, the picture that a guess amounts
to. The loss, though, is the simplest there is: the mean of (guess - noise)² over all N · D entries, whatever the steps
were. Write its gradient, d_guess.
"""

# %% stub
import numpy as np


def denoised(x_t, guess, alpha_bar):
    """The picture x_0, if `guess` is the noise in x_t.   x_t (N, D), guess (N, D), alpha_bar (N, 1)  ->  (N, D)"""
    return ...


class diffusion_loss:
    """mean over all entries of (guess - noise)².   guess (N, D), noise (N, D)  ->  one number"""

    def forward(guess, noise):
        return ((guess - noise) ** 2).mean()

    def d_guess(dy, guess, noise):
        return ...

    d_noise = None  # it is what was drawn


# %% solution
def denoised(x_t, guess, alpha_bar):
    return (x_t - np.sqrt(1 - alpha_bar) * guess) / np.sqrt(alpha_bar)


def d_guess(dy, guess, noise):
    return dy * 2 * (guess - noise) / guess.size


# %% check
def check(answer, rng, compare, examine):
    x_t, guess, noise = rng.normal(size=(3, 7, 5))
    compare(answer.denoised, x_t, guess, rng.uniform(0.1, 0.9, size=(7, 1)))
    examine(answer.diffusion_loss, guess, noise)


# %% hint: concept
# For `denoised`: take the noise's part off x_t, then undo the factor that the picture was multiplied with. For
# `d_guess`: a square, and a mean over how many numbers?

# %% hint: formula
# x_0 = (x_t - sqrt(1 - alpha_bar) · guess) / sqrt(alpha_bar).   d_guess = dy · 2 (guess - noise) / (N · D)

# %% hint: the line
# return (x_t - np.sqrt(1 - alpha_bar) * guess) / np.sqrt(alpha_bar)
# And in d_guess:  return dy * 2 * (guess - noise) / guess.size


# %% wrong: over N
# `denoised` is right, the gradient is D times too large: the mean is over all N · D entries, and this divides by N, the
# number of rows.
def denoised(x_t, guess, alpha_bar):
    return (x_t - np.sqrt(1 - alpha_bar) * guess) / np.sqrt(alpha_bar)


def d_guess(dy, guess, noise):
    return dy * 2 * (guess - noise) / len(guess)


# %% wrong: the sign
# `denoised` is right, the gradient's sign is turned: where the guess is too large, it has to be positive, so guess -
# noise.
def denoised(x_t, guess, alpha_bar):
    return (x_t - np.sqrt(1 - alpha_bar) * guess) / np.sqrt(alpha_bar)


def d_guess(dy, guess, noise):
    return dy * 2 * (noise - guess) / guess.size


# %% wrong: the 2 left out
# `denoised` is right, the gradient is half of what it should be: a square comes down with a 2.
def denoised(x_t, guess, alpha_bar):
    return (x_t - np.sqrt(1 - alpha_bar) * guess) / np.sqrt(alpha_bar)


def d_guess(dy, guess, noise):
    return dy * (guess - noise) / guess.size


# %% wrong: the noise taken off as it is
# In `denoised`, the guess is taken off whole. There is only sqrt(1 - alpha_bar) times the noise in x_t.
def denoised(x_t, guess, alpha_bar):
    return (x_t - guess) / np.sqrt(alpha_bar)


def d_guess(dy, guess, noise):
    return dy * 2 * (guess - noise) / guess.size


# %% wrong: not scaled back
# In `denoised`, what is left when the noise is off is sqrt(alpha_bar) · x_0, the picture grown faint. Divide by that
# factor.
def denoised(x_t, guess, alpha_bar):
    return x_t - np.sqrt(1 - alpha_bar) * guess


def d_guess(dy, guess, noise):
    return dy * 2 * (guess - noise) / guess.size


# %% wrong: shares for roots
# In `denoised`, the roots are missing: x_t was made with sqrt(1 - alpha_bar) and sqrt(alpha_bar).
def denoised(x_t, guess, alpha_bar):
    return (x_t - (1 - alpha_bar) * guess) / alpha_bar


def d_guess(dy, guess, noise):
    return dy * 2 * (guess - noise) / guess.size
