"""Models the scattering parameter of one resonance as an analyser sees it: a circle in the complex plane. SI units."""

from __future__ import annotations

from typing import Literal, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .. import _checks

TraceForm = Literal["notch", "reflection", "transmission"]


class ResonatorTrace(eqx.Module):
    r"""Models S21 (or S11) of one resonance behind a cable, in the diameter-corrected form.

        S = a e^{i alpha} e^{-2 pi i f tau + t u} R(u),   u = f/f_r - 1,   1/Q_l = 1/Q_i + 1/Q_c

        R = 1 - (Q_l/Q_c) (1 + i tan phi) / (1 + 2 i Q_l u)       form="notch": a resonator beside a through line
        R = 1 - 2 (Q_l/Q_c) (1 + i tan phi) / (1 + 2 i Q_l u)     form="reflection": at the end of a line
        R = (Q_l/Q_c) / (1 + 2 i Q_l u)                           form="transmission": between two equal ports

    Q_c is the real coupling quality factor, 1/Q_c = Re(1/Q_complex), so that losses add; the papers' modulus and angle
    are |Q_complex| = Q_c cos(phi) and phi: (Q_l/|Q_complex|) e^{i phi} is the factor before 1/(1 + 2 i Q_l u).

    Arguments:
        f_r: resonance frequency [Hz]; > 0.
        Q_internal: Q_i [1]; > 0.
        Q_coupling: Q_c [1] of all ports together; > 0.
        asymmetry: phi [rad] in (-pi/2, pi/2), from mismatch of the line; not used by "transmission".
        gain: a [1], amplitude of the line off resonance; > 0.
        phase: alpha [rad], phase of the line at f = 0.
        delay: tau [s] of the cables.
        tilt: t [1], slope of the logarithm of the gain against f/f_r.
        form: "notch", "reflection" or "transmission" (static).

    All but `form` may be arrays that broadcast with the frequencies. Single precision holds 5 GHz to 300 Hz only:
    enable x64 for resonances narrower than some 10 kHz.

    Raises:
        ValueError: if an argument is out of range, or `form` is none of the three.

    Example:
        >>> trace = ResonatorTrace(f_r=5e9, Q_internal=2e5, Q_coupling=1e5)
        >>> [round(float(abs(s)), 3) for s in trace.response(jnp.array([5e9, 5.1e9]))]  # Q_c/(Q_i + Q_c) on resonance
        [0.333, 1.0]

    Source: S. Probst et al., Rev. Sci. Instrum. 86, 024706 (2015) (notch, delay); M. S. Khalil et al., J. Appl. Phys.
    111, 054510 (2012) (complex Q_c, 1/Q_i = 1/Q_l - Re 1/Q_c).
    """

    f_r: Array
    Q_internal: Array
    Q_coupling: Array
    asymmetry: Array
    gain: Array
    phase: Array
    delay: Array
    tilt: Array
    form: str = eqx.field(static=True)

    def __init__(
        self,
        *,
        f_r: ArrayLike,
        Q_internal: ArrayLike,
        Q_coupling: ArrayLike,
        asymmetry: ArrayLike = 0.0,
        gain: ArrayLike = 1.0,
        phase: ArrayLike = 0.0,
        delay: ArrayLike = 0.0,
        tilt: ArrayLike = 0.0,
        form: str = "notch",
    ):
        self.f_r = _checks.positive("f_r", f_r)
        self.Q_internal = _checks.positive("Q_internal", Q_internal)
        self.Q_coupling = _checks.positive("Q_coupling", Q_coupling)
        self.asymmetry = _checks.finite("asymmetry", asymmetry)
        known = _checks.concrete(self.asymmetry)
        inside = known is None or bool(np.all(np.abs(known) < np.pi / 2))
        _checks.require(inside, "asymmetry", "lie in (-pi/2, pi/2)", asymmetry, "It is an angle in radians.")
        self.gain = _checks.positive("gain", gain)
        self.phase = _checks.finite("phase", phase)
        self.delay = _checks.finite("delay", delay)
        self.tilt = _checks.finite("tilt", tilt)
        self.form = check_form(form)

    @property
    def Q_loaded(self) -> Array:
        """Gives Q_l, of the internal loss and the coupling together [1]."""
        return self.Q_internal * self.Q_coupling / (self.Q_internal + self.Q_coupling)

    @property
    def linewidth(self) -> Array:
        """Gives the full width f_r / Q_l [Hz] of the power at half its depth."""
        return self.f_r / self.Q_loaded

    def line(self, frequencies: ArrayLike) -> Array:
        """Says what the line alone would do at frequencies [Hz], a e^{i alpha} e^{-2 pi i f tau + t u}: complex."""
        f = _checks.positive("frequencies", frequencies, zero=True)
        growth = jnp.log(self.gain) + self.tilt * (f - self.f_r) / self.f_r
        return jnp.exp(growth + 1j * (self.phase - 2 * np.pi * f * self.delay))

    def resonance(self, frequencies: ArrayLike) -> Array:
        """Gives the bare resonance R at frequencies [Hz], where gain is 1 and cables have no length: complex."""
        f = _checks.positive("frequencies", frequencies, zero=True)
        # The difference first: f/f_r - 1 loses the digits that a narrow resonance needs.
        lorentzian = self.Q_loaded / self.Q_coupling / (1 + 2j * self.Q_loaded * (f - self.f_r) / self.f_r)
        if self.form == "transmission":
            return lorentzian
        return 1 - DIPS[self.form] * (1 + 1j * jnp.tan(self.asymmetry)) * lorentzian

    def response(self, frequencies: ArrayLike) -> Array:
        """Gives the scattering parameter measured at frequencies [Hz], any shape: complex, dimensionless.

        Example:
            >>> trace = ResonatorTrace(f_r=5e9, Q_internal=1e5, Q_coupling=1e5, gain=0.1, form="reflection")
            >>> bool(jnp.abs(trace.response(5e9)) < 1e-12)  # critically coupled: nothing comes back
            True
        """
        return self.line(frequencies) * self.resonance(frequencies)


# How many circle diameters Q_l/Q_c the resonance takes off the line's transmission.
DIPS = {"notch": 1.0, "reflection": 2.0}


def check_form(form: str) -> str:
    """Checks the form, which must be one of the three."""
    forms = get_args(TraceForm)
    _checks.require(form in forms, "form", f"be one of {', '.join(map(repr, forms))}", repr(form))
    return form
