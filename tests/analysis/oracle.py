"""Traces in plain NumPy, written as the papers write them, and files as analysers write them."""

import numpy as np


def trace(f, *, f_r, Q_i, Q_c, phi=0.0, a=1.0, alpha=0.0, tau=0.0, form="notch"):
    """S of Probst et al., Eq. 1, with |Q_c| = Q_c cos(phi), so that Q_c is the real part's."""
    magnitude = Q_c * np.cos(phi)
    Q_l = 1 / (1 / Q_i + (np.exp(1j * phi) / magnitude).real)
    line = a * np.exp(1j * alpha) * np.exp(-2j * np.pi * f * tau)
    peak = Q_l / magnitude * np.exp(1j * phi) / (1 + 2j * Q_l * (f / f_r - 1))
    if form == "transmission":
        return line * peak
    return line * (1 - (2 if form == "reflection" else 1) * peak)


def noise(rng, n, sigma):
    return sigma * (rng.normal(size=n) + 1j * rng.normal(size=n))


def draw(rng, form="notch"):
    """A random resonator, frequencies that show it, and the noise-free trace."""
    f_r, share = rng.uniform(4e9, 8e9), rng.uniform(0.15, 0.85)
    Q_l = 10 ** rng.uniform(4, 6)
    phi = 0.0 if form == "transmission" else rng.uniform(-0.6, 0.6)
    truth = {"f_r": f_r, "Q_i": Q_l / (1 - share), "Q_c": Q_l / share, "phi": phi}
    rest = {"a": 10 ** rng.uniform(-3, 0), "alpha": rng.uniform(-3, 3), "tau": rng.uniform(0, 60e-9)}
    span = f_r / Q_l * rng.uniform(6, 20)
    f = f_r + span * (rng.uniform(-0.2, 0.2) + np.linspace(-0.5, 0.5, 201))
    diameter = rest["a"] * share / np.cos(phi)
    return truth | rest, f, trace(f, **truth, **rest, form=form), diameter


def touchstone(f, s, style="RI", unit="GHz", ports=2, comment=""):
    """A file of version 1; parameters other than S21 (S11 of one port) hold other numbers."""
    scale = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}[unit]
    lines = ["! made for a test", *([f"! {comment}"] if comment else []), f"# {unit} S {style} R 50"]
    for k, (x, z) in enumerate(zip(f, s)):
        all_s = [z] if ports == 1 else [0.1 + 0.01j * k, z, 0.3 - 0.01j * k, 0.4j]
        cells = [repr(float(x) / scale)]
        for value in all_s:
            degrees = np.rad2deg(np.angle(value))
            pair = {
                "RI": (value.real, value.imag),
                "MA": (abs(value), degrees),
                "DB": (20 * np.log10(abs(value)), degrees),
            }
            cells += [repr(float(part)) for part in pair[style]]
        lines.append(" ".join(cells))
    return "\n".join(lines) + "\n"
