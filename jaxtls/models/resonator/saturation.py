r"""Says how a drive of n photons weakens the loss by TLSs: the factors that multiply F delta tanh(x), each 1 at n = 0.

    standard     1 / sqrt(1 + (n / n_c)^beta)
    crowley      1 / sqrt(1 + n^beta tanh(x) / (D T^beta1))
    earnest      (1 + n / n_c)^-beta
    power        1 / (1 + (n / n_c)^beta)
    logarithmic  beta ln[1 + (e^(1/beta) - 1) / sqrt(1 + n / n_c)]

The last is 1 - (beta/2) ln(n / n_c) between n_c and e^(2/beta) n_c, a logarithm of the field, which is the law of TLSs
whose energies others make jitter. It continues smoothly to n = 0, and to the 1/sqrt(n) of a field that outdoes the
jitter, where a bare logarithm has no value or turns negative; these two ends are this library's.

Sources: D. P. Pappas et al., IEEE Trans. Appl. Supercond. 21, 871 (2011) (standard); K. D. Crowley et al., Phys. Rev. X
13, 041005 (2023) (crowley); C. T. Earnest et al., Supercond. Sci. Technol. 31, 125013 (2018) (earnest); L. Faoro and
L. B. Ioffe, Phys. Rev. Lett. 109, 157005 (2012), and C.-C. Hung et al., arXiv:2302.00318 (logarithmic).
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

FORMS = ("crowley", "standard", "earnest", "power", "logarithmic", "none")


def reduction(
    form: str, photons: Array, temperature: Array, seen: Array, critical: Array, thermal: Array, exponent: Array
) -> Array:
    """Gives the factor of one form, in (0, 1].

    Arguments:
        form: one of FORMS.
        photons: n >= 0.
        temperature: T > 0 [K].
        seen: tanh(hf/2kT).
        critical: n_c, or D [K^-thermal].
        thermal: beta1, which "crowley" alone uses.
        exponent: beta.

    Returns:
        The shape to which the arrays broadcast.

    Example:
        >>> round(float(reduction("earnest", *map(jnp.array, (3.0, 0.1, 1.0, 1.0, 0.0, 0.5)))), 12)
        0.5
    """
    if form == "none":
        return jnp.ones(jnp.broadcast_shapes(jnp.shape(photons), jnp.shape(temperature), jnp.shape(seen)))
    if form == "earnest":
        return (1 + photons / critical) ** -exponent
    if form == "logarithmic":
        y = photons / critical
        root = jnp.sqrt(1 + y)
        return 1 + exponent * (jnp.log1p(y / (1 + root) * jnp.exp(-1 / exponent)) - jnp.log1p(y) / 2)
    # n^beta has no finite slope at n = 0; the inner `where` keeps the other parameters' gradients finite there.
    drive = jnp.where(photons > 0, jnp.where(photons > 0, photons, 1.0) ** exponent, 0.0)
    if form == "crowley":
        return 1 / jnp.sqrt(1 + drive * seen / (critical * temperature**thermal))
    saturation = drive / critical**exponent
    return 1 / (1 + saturation) if form == "power" else 1 / jnp.sqrt(1 + saturation)


def half_power_photons(
    form: str, temperature: Array, seen: Array, critical: Array, thermal: Array, exponent: Array
) -> Array:
    """Gives the photon number at which `reduction` is 1/sqrt(2); infinite for "none".

    Example:
        >>> float(half_power_photons("standard", *map(jnp.array, (0.1, 1.0, 7.0, 0.0, 0.5))))
        7.0
    """
    if form == "none":
        return jnp.full(jnp.shape(temperature), jnp.inf)
    if form == "crowley":
        return (critical * temperature**thermal / seen) ** (1 / exponent)
    if form == "standard":
        ratio = jnp.ones_like(exponent)
    elif form == "earnest":
        ratio = jnp.expm1(np.log(2) / (2 * exponent))
    elif form == "power":
        ratio = (np.sqrt(2) - 1) ** (1 / exponent)
    else:
        # e^{c/beta} may overflow to inf, which is right
        root = jnp.exp((1 - np.sqrt(0.5)) / exponent) * jnp.expm1(-1 / exponent) / jnp.expm1(-np.sqrt(0.5) / exponent)
        ratio = root**2 - 1
    return jnp.broadcast_to(critical * ratio, jnp.shape(temperature))


def reduction_and_slopes(
    form: str,
    photons: np.ndarray,
    temperature: np.ndarray,
    seen: np.ndarray,
    critical: np.ndarray,
    thermal: np.ndarray,
    exponent: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Computes `reduction` in NumPy, with slopes by critical, thermal and exponent: for searches too short to compile.

    Arguments:
        form, photons, temperature, seen: as there, rows (R,).
        critical, thermal, exponent: as there, (K,).

    Returns:
        The factor (K, R), and its slopes (K, R, 3).

    Example:
        >>> ones = np.ones(1)
        >>> s, slopes = reduction_and_slopes("earnest", 3 * ones, ones, ones, ones, ones, ones / 2)
        >>> s.tolist(), slopes.round(4).tolist()
        ([[0.5]], [[[0.1875, 0.0, -0.6931]]])
    """
    d, t, b = (parameter[:, None] for parameter in (critical, thermal, exponent))
    driven = photons > 0
    log_n = np.log(np.where(driven, photons, 1.0))
    zero = np.zeros((len(critical), len(photons)))
    if form == "none":
        return zero + 1, np.stack([zero, zero, zero], axis=-1)
    if form in ("earnest", "logarithmic"):
        z = photons / d
        if form == "earnest":
            s = (1 + z) ** -b
            slopes = (s * b * z / ((1 + z) * d), zero, -s * np.log1p(z))
        else:
            root, rare = np.sqrt(1 + z), np.exp(-1 / b)
            w = z / (1 + root) * rare
            change = np.log1p(w) - np.log1p(z) / 2
            s = 1 + b * change
            by_z = b * (rare / (2 * root * (1 + w)) - 0.5 / (1 + z))
            slopes = (-by_z * z / d, zero, change + w / (1 + w) / b)
        return s, np.stack(slopes, axis=-1)
    # y = n^b / n_c^b or n^b seen / (D T^t) by its logarithm, which neither overflows nor leaves 0 at n = 0
    if form == "crowley":
        log_y = b * log_n + np.log(seen) - np.log(d) - t * np.log(temperature)
        by = (-1 / d, -np.log(temperature), log_n)
    else:
        log_y = b * (log_n - np.log(d))
        by = (-b / d, zero, log_n - np.log(d))
    power = 1.0 if form == "power" else 0.5
    s = np.where(driven, np.exp(-power * np.logaddexp(0.0, log_y)), 1.0)
    steep = np.where(driven, -power * s * np.exp(-np.logaddexp(0.0, -log_y)), 0.0)
    return s, np.stack([steep * slope for slope in by], axis=-1)
