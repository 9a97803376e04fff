"""Models a qubit or resonator in a bath of TLSs whose frequencies may jump. hbar = 1, angular frequencies."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import concrete, finite, random_key, require, size
from ..solid.material import TunnellingSolid
from . import amplitude, checks, contour, material, populations, sampling
from .checks import Numbers
from .golden_rule import AbstractGoldenRule


class TLSBath(AbstractGoldenRule):
    r"""Models J two-level systems beside a qubit or resonator of frequency w: golden rule, exact amplitude, Solomon
    equations.

        H = w a^+a + sum_j w_j(t) n_j + sum_j g_j (a^+ s_j- + h.c.),    w_j(t) = w_j + sum_m shift_jm s_jm(t)

    Each TLS has its own frequency, coupling, relaxation and pure dephasing, and may be moved by M telegraph fluctuators
    s = ±1 of its own. All frequencies, couplings, shifts and rates are angular and in one unit: rad/s with times in s,
    or 2 pi MHz with times in us.

    Arguments:
        frequencies: w_j, (J,), with every fluctuator at its mean of ±1 [angular frequency].
        couplings: g_j, (J,) [angular frequency]; half the splitting at resonance.
        relaxation: gamma_j >= 0, a number or (J,), total rate towards equilibrium [1/time].
        dephasing: pure dephasing rate gphi_j >= 0, a number or (J,) [1/time]. The coherence of a TLS decays at
            gamma/2 + gphi.
        shifts: (J, M) or None, moves a TLS by ±shift [angular frequency].
        rates_up, rates_down: a number or (J, M), or None; rates of -1 -> +1 and +1 -> -1 [1/time], >= 0.

    Raises:
        ValueError: naming the argument, its value and the remedy.

    Example:
        >>> bath = TLSBath(frequencies=[5.0, 5.2], couplings=[0.02, 0.05], relaxation=0.1)
        >>> print(f"{bath.relaxation_rate(5.0):.5f}")
        0.02188
        >>> bath.swap_map(jnp.linspace(4.8, 5.4, 7), jnp.linspace(0.0, 30.0, 16)).shape
        (7, 16)

    Source: C. Mueller, J. H. Cole & J. Lisenfeld, Rep. Prog. Phys. 82, 124501 (2019); P. V. Klimov et al., Phys. Rev.
    Lett. 121, 090502 (2018); M. Spiecker et al., arXiv:2307.06900.
    """

    def __init__(
        self,
        frequencies: Numbers,
        couplings: Numbers,
        relaxation: Numbers,
        dephasing: Numbers = 0.0,
        shifts: Numbers | None = None,
        rates_up: Numbers | None = None,
        rates_down: Numbers | None = None,
    ):
        self.frequencies = finite("frequencies", frequencies)
        shape = self.frequencies.shape
        require(len(shape) == 1 and shape[0] > 0, "frequencies", "have shape (J,), J >= 1", f"shape {shape}")
        self.couplings = finite("couplings", couplings)
        good = self.couplings.shape == shape
        require(good, "couplings", f"have shape {shape}, as `frequencies`", f"shape {self.couplings.shape}")
        self.relaxation = checks.per_tls("relaxation", relaxation, shape[0])
        self.dephasing = checks.per_tls("dephasing", dephasing, shape[0])
        self.shifts, self.rates_up, self.rates_down = checks.fluctuators(shape[0], shifts, rates_up, rates_down)

    @classmethod
    def sample(
        cls,
        key: Array,
        n: int,
        *,
        band: tuple[Numbers, Numbers],
        max_coupling: Numbers,
        relaxation: Numbers,
        dephasing: Numbers = 0.0,
        min_tunnelling: Numbers = 1e-2,
    ) -> TLSBath:
        r"""Draws n TLSs of the standard tunnelling model: frequencies uniform in a band, g = g_max u |cos theta|.

            p(u) = 1/(L u sqrt(1 - u²)) for u = Delta_0/E in (u_min, 1),   L = arccosh(1/u_min);   |cos theta| uniform

        so <g²> = g_max² sqrt(1 - u_min²)/(3 L). TLSs below the cut add to the count, not to the loss.

        Arguments:
            key: a JAX random key.
            n: number of TLSs (static).
            band: lowest and highest frequency [angular frequency].
            max_coupling: g_max of a symmetric TLS along the field [angular frequency], > 0.
            relaxation, dephasing: as in `TLSBath`; relaxation that goes as u² is for the caller to give.
            min_tunnelling: u_min in (0, 1) [1].

        Returns:
            TLSBath without fluctuators, differentiable by all parameters but n.

        Raises:
            ValueError: if an argument is out of range.

        Example:
            >>> bath = TLSBath.sample(jax.random.key(0), 1000, band=(4.0, 6.0), max_coupling=1e-3, relaxation=1e-2)
            >>> bool(bath.frequencies.min() > 4.0), bool(bath.couplings.max() < 1e-3)
            (True, True)

        Source: W. A. Phillips, J. Low Temp. Phys. 7, 351 (1972); J. M. Martinis et al., Phys. Rev. Lett. 95, 210503
        (2005).
        """
        low, high, least = checks.band_and_cut(band, min_tunnelling)
        drawn = sampling.draw(random_key("key", key), size("n", n), least)
        g = checks.number("max_coupling", max_coupling, zero=False) * drawn.shares * drawn.cosines
        return cls(low + (high - low) * drawn.energies, g, relaxation, dephasing)

    @classmethod
    def from_solid(
        cls,
        key: Array,
        n: int,
        solid: TunnellingSolid,
        *,
        dipole: Numbers,
        fields: Numbers,
        volumes: Numbers,
        band: tuple[Numbers, Numbers],
        temperature: Numbers = 0.02,
        relaxation: Numbers | None = None,
        dephasing: Numbers = 0.0,
        min_tunnelling: Numbers = 1e-2,
    ) -> TLSBath:
        r"""Draws the TLSs of a solid in the field of a mode, SI units: hbar g = p F u |cos theta|.

        The solid holds Pbar hbar dw V L of them in the band. The n that are drawn stand for these: each g is multiplied
        by sqrt(expected/n), so that sums of g², and with them loss and T1, are right for any n and differentiable by
        everything. With n near `expected_tls` each TLS stands for one, and swaps and fluctuations are right too.

        Arguments:
            key: a JAX random key.
            n: number of TLSs drawn (static).
            solid: the material; p_bar and, by default, phonon relaxation come from it.
            dipole: p [C m] (1 Debye = 3.33564e-30 C m), > 0.
            fields, volumes: (B,) a histogram of the mode's field: root mean square of the zero-point field [V/m] in
                cells of these volumes [m³].
            band: lowest and highest frequency [rad/s].
            temperature: T [K] of the phonons, > 0; used where `relaxation` is None.
            relaxation: gamma_j [1/s]; None takes the one-phonon rate of the solid, Gamma_max(hbar w_j, T) u_j².
            dephasing: gphi_j [1/s].
            min_tunnelling: u_min in (0, 1) [1].

        Returns:
            TLSBath in rad/s and s.

        Raises:
            ValueError: if an argument is out of range.

        Example:
            >>> silica = jt.TunnellingSolid.preset("silica")
            >>> bath = TLSBath.from_solid(
            ...     jax.random.key(0), 1000, silica, dipole=3e-30, fields=[1.0], volumes=[1e-16], band=(2.8e10, 3.4e10)
            ... )
            >>> bath.couplings.shape
            (1000,)

        Source: J. M. Martinis et al., Phys. Rev. Lett. 95, 210503 (2005); W. A. Phillips, J. Low Temp. Phys. 7, 351
        (1972) (rates).
        """
        low, high, least = checks.band_and_cut(band, min_tunnelling)
        p, cells = checks.number("dipole", dipole, zero=False), material.field_map(fields, volumes)
        kelvin = checks.number("temperature", temperature, zero=False)
        key, n = random_key("key", key), size("n", n)
        w, g, u = material.draw(key, n, solid, p, cells, (low, high), least)
        if relaxation is None:
            relaxation = material.phonon_relaxation(solid, w, u, kelvin)
        return cls(w, g, relaxation, dephasing)

    def amplitude(self, frequency: Numbers, ts: Numbers, relaxation: Numbers = 0.0) -> Array:
        r"""Gives c(t) of one excitation that starts in the qubit at T = 0, exact among all TLSs, in the frame of w.

            c^(s) = 1/[s + kappa/2 + sum_j g_j²/(s + gamma_j/2 + i(w_j - w))]

        by an inverse Laplace transform, to some 1e-11 (1e-6 in single precision): no time steps, and neither loss nor
        exceptional points matter. Fluctuators are taken at their centre, s = 0. The cost is J times nodes, some 90 and
        0.9 (spread of all frequencies) t for each factor 8 of time. Under `jax.jit` 260 000 nodes at most: NaN beyond.

        Arguments:
            frequency: w, () [angular frequency]; `jax.vmap`, or `swap_map` for several.
            ts: any shape and order, >= 0 [time].
            relaxation: kappa >= 0, the qubit's own energy relaxation [1/time].

        Returns:
            complex, the shape of ts; |c|² is the probability to find the qubit excited. NaN where under `jax.jit` a
            TLS turns out to have pure dephasing, for which no amplitude exists.

        Raises:
            ValueError: if an argument is out of range, or a TLS has pure dephasing (use `populations`).

        Example:
            >>> rabi = TLSBath([5.0], [0.5], 0.0).amplitude(5.0, jnp.array([0.0, jnp.pi / 2, jnp.pi]))
            >>> [round(float(p), 6) for p in jnp.abs(rabi) ** 2]  # swapped, and back
            [1.0, 0.5, 0.0]

        Source: B. M. Garraway, Phys. Rev. A 55, 2290 (1997); L. N. Trefethen, J. A. C. Weideman & T. Schmelzer, BIT 46,
        653 (2006).
        """
        w = checks.qubit_frequencies("frequency", frequency)
        require(w.ndim == 0, "frequency", "be a number", f"shape {w.shape}", "Use jax.vmap, or swap_map for |c|².")
        times, kappa = checks.instants("ts", ts), checks.number("relaxation", relaxation)
        flat, halves, most = self._prepare(w, times)
        found = amplitude.amplitudes(self.frequencies, self.couplings, halves, w, flat, kappa, most)
        return self._without_dephasing(found).reshape(times.shape)

    def swap_map(self, frequency: Numbers, ts: Numbers, relaxation: Numbers = 0.0) -> Array:
        """Gives |c(t)|² of `amplitude` at each qubit frequency: swap spectroscopy.

        Arguments:
            frequency: w, (W,) [angular frequency].
            ts: (T,) >= 0, any order [time].
            relaxation: kappa >= 0 [1/time].

        Returns:
            (W, T) probabilities.

        Raises:
            ValueError: as `amplitude`.

        Example:
            >>> TLSBath([5.0], [0.1], 0.02).swap_map([4.8, 5.0, 5.2], [0.0, 10.0]).shape
            (3, 2)

        Source: M. Neeley et al., Nature Phys. 4, 523 (2008).
        """
        w = checks.qubit_frequencies("frequency", frequency)
        times, kappa = checks.instants("ts", ts), checks.number("relaxation", relaxation)
        for name, value in (("frequency", w), ("ts", times)):
            require(value.ndim == 1, name, "be one-dimensional", f"shape {value.shape}")
        flat, halves, most = self._prepare(w, times)
        return self._without_dephasing(amplitude.swaps(self.frequencies, self.couplings, halves, w, flat, kappa, most))

    def populations(
        self,
        frequency: Numbers,
        ts: Numbers,
        *,
        relaxation: Numbers = 0.0,
        dephasing: Numbers = 0.0,
        excited: Numbers = 1.0,
        tls_excited: Numbers | None = None,
        thermal: Numbers = 0.0,
    ) -> Array:
        r"""Follows the qubit's excited population by the Solomon equations, in which the TLSs heat, cool and remember.

            dp_q/dt = -Gq (p_q - pth) - sum_j G_j (p_q - p_j),  dp_j/dt = -gamma_j (p_j - pth) - G_j (p_j - p_q)
            G_j = 2 g_j² D_j/(D_j² + (w - w_j)²),   D_j = gamma_j/2 + gphi_j + relaxation/2 + dephasing

        Exact for these equations to some 1e-12, over any decades of rates and times. They hold where g_j is small
        against D_j (errors of order (g/D)²); no coherence is kept. Fluctuators are taken at their centre.

        Arguments:
            frequency: w, () [angular frequency].
            ts: any shape and order, >= 0 [time].
            relaxation: Gq >= 0, the qubit's own relaxation [1/time].
            dephasing: the qubit's own pure dephasing >= 0 [1/time].
            excited: p_q at t = 0, in [0, 1].
            tls_excited: p_j at t = 0, a number or (J,) in [0, 1]; `thermal` by default.
            thermal: pth in [0, 1], where qubit and TLSs relax to by themselves.

        Returns:
            the shape of ts.

        Raises:
            ValueError: if an argument is out of range.

        Example:
            >>> hot = TLSBath([5.0], [0.01], 0.0, dephasing=0.5)  # a TLS that never loses its energy
            >>> [round(float(p), 4) for p in hot.populations(5.0, jnp.array([0.0, 1e3, 1e5]))]
            [1.0, 0.7247, 0.5]

        Source: I. Solomon, Phys. Rev. 99, 559 (1955); M. Spiecker et al., Nature Phys. 19, 1320 (2023).
        """
        w = checks.qubit_frequencies("frequency", frequency)
        require(w.ndim == 0, "frequency", "be a number", f"shape {w.shape}", "Use jax.vmap for several.")
        times, count = checks.instants("ts", ts), self.frequencies.shape
        kappa, own = checks.number("relaxation", relaxation), checks.number("dephasing", dephasing)
        start, equilibrium = checks.probability("excited", excited), checks.probability("thermal", thermal)
        given = equilibrium if tls_excited is None else checks.probability("tls_excited", tls_excited, count)
        gamma, excess = jnp.broadcast_to(self.relaxation, count), jnp.broadcast_to(given - equilibrium, count)
        tls = w - self.frequencies, self.couplings, self._widths, gamma
        flat, most = times.ravel(), contour.blocks(times, np.zeros((), times.dtype), folded=True)
        found = populations.qubit_excess(tls, excess, flat, kappa, kappa / 2 + own, start - equilibrium, most)
        return (equilibrium + found).reshape(times.shape)

    def _prepare(self, w: Array, times: Array) -> tuple[Array, Array, int]:
        """Prepare what `amplitude` needs beside the parameters: times as a row, gamma/2 (J,), blocks of nodes."""
        known = concrete(self.dephasing)
        remedy = "No amplitude describes pure dephasing: use populations, or count it as relaxation."
        require(known is None or not known.any(), "dephasing", "be 0 for an amplitude", self.dephasing, remedy)
        kind = jnp.result_type(self.frequencies, self.couplings, w, times)
        first = concrete(times)
        most = amplitude.blocks(self.frequencies, self.couplings, w, times if first is None else first.astype(kind))
        return times.ravel().astype(kind), jnp.broadcast_to(self.relaxation / 2, self.frequencies.shape), most

    def _without_dephasing(self, found: Array) -> Array:
        if concrete(self.dephasing) is not None:
            return found
        return jnp.where(jnp.any(self.dephasing != 0), jnp.nan, found)
