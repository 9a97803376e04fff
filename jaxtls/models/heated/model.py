"""Models an oscillator heated by one TLS that sits in a bosonic bath: Section III of Schlosshauer, Hines & Milburn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import finite, is_square, positive, require, size
from ..._types import Numbers
from ...dynamics.model import AbstractModel
from ...quantum import coherent_state, thermal_state, to_density_matrix
from . import parity
from .adiabatic import QUADRATURES, AdiabaticOscillator, quadratures

Method = Literal["slaved", "second-order"]


class TLSHeatedOscillator(AbstractModel):
    r"""Puts one TLS between an oscillator and a bosonic bath; hbar = 1.

        d rho/dt = -i W [a^dagger a, rho] - i h [sx, rho] - i g [x sz, rho]
                   + gamma (n_bar + 1) D[s-] rho + gamma n_bar D[s+] rho,   x = a + a^dagger,  h = splitting/2

    s+- are ladder operators between the eigenstates |+-> of sx, and sz flips them. At any temperature the bath's
    flips kick the oscillator, which heats.

    The state is an array of real numbers in a layout of parity chains (`parity`), four times smaller than the density
    matrix for `thermal_state`; `density_matrix` and `oscillator_state` give the matrices. `evolve` moves the
    levels that the state reaches (`window`), so that more `n_levels` than needed cost little.

    Arguments:
        omega_0: W of the oscillator [frequency], > 0.
        splitting: full gap of the TLS, 2h [frequency], >= 0. Fig. 3's "Delta = 1" is splitting = 2.
        coupling: g [frequency].
        gamma: rate of the bath [frequency], >= 0.
        n_bar: quanta of the bath at the splitting, >= 0; `thermal_occupation(splitting, temperature)` gives it.
        n_levels: Fock states kept, static.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> h = TLSHeatedOscillator(omega_0=1.0, splitting=2.0, coupling=1.0, gamma=10.0, n_bar=0.0, n_levels=40)
        >>> sol = jt.evolve(h, h.thermal_state(), jnp.linspace(0.0, 4.0, 9))
        >>> round(float(sol.observables["n"][-1]), 4)
        1.1759

    Source: Schlosshauer, Hines & Milburn, Eqs. 29-41. Their h is Delta in Eq. 35 and Delta/2 in Eq. 29; here
    `splitting` is the gap. Their Eqs. 33 and 37 disagree on the temperature, so n_bar is the input.
    """

    closes_over: ClassVar[bool] = False
    is_constant_map: ClassVar[bool] = True

    omega_0: Array
    splitting: Array
    coupling: Array
    gamma: Array
    n_bar: Array
    n_levels: int = eqx.field(static=True)

    def __init__(
        self, omega_0: Numbers, splitting: Numbers, coupling: Numbers, gamma: Numbers, n_bar: Numbers, n_levels: int
    ):
        self.omega_0 = positive("omega_0", omega_0)
        self.splitting = positive("splitting", splitting, zero=True)
        self.coupling = finite("coupling", coupling)
        self.gamma = positive("gamma", gamma, zero=True)
        self.n_bar = positive("n_bar", n_bar, zero=True)
        for name in ("omega_0", "splitting", "coupling", "gamma", "n_bar"):
            value = getattr(self, name)
            require(value.ndim == 0, name, "be a number", f"shape {value.shape}", "Use jax.vmap for several.")
        self.n_levels = size("n_levels", n_levels, least=5)

    # --- states ------------------------------------------------------------------------------------------------------

    @property
    def up_probability(self) -> Array:
        """Gives p+ = n_bar/(2 n_bar + 1), the TLS's thermal population of |+>, Eqs. 32 and 33."""
        return self.n_bar / (2 * self.n_bar + 1)

    def thermal_state(self, n: Numbers = 0.0) -> Array:
        """Makes a state of the TLS thermal at n_bar (x) the oscillator thermal with a mean of n quanta.

        Arguments:
            n: mean number of the oscillator, a number >= 0.

        Returns:
            y: (2, n_levels, n_levels) real: the two parity sectors, between which there is no coherence.

        Example:
            >>> h = TLSHeatedOscillator(1.0, splitting=2.0, coupling=1.0, gamma=10.0, n_bar=1.0, n_levels=30)
            >>> y = h.thermal_state(n=0.5)
            >>> y.shape, round(float(h.observables["polarization"](y)), 4)
            ((2, 30, 30), -0.3333)
        """
        return self._thermal(positive("n", n, zero=True))

    @eqx.filter_jit
    def _thermal(self, n: Array) -> Array:
        oscillator = jnp.diagonal(thermal_state(self.n_levels, n)).real
        p = self.up_probability
        tls = jnp.where(parity.signs(self.n_levels) > 0, p, 1 - p)
        return (tls * oscillator)[..., None] * jnp.eye(self.n_levels, dtype=oscillator.dtype)

    def coherent_state(self, alpha: Numbers) -> Array:
        """Makes a state of the TLS thermal at n_bar (x) |alpha><alpha|: (2, 2, n_levels, n_levels) real."""
        ket = coherent_state(self.n_levels, alpha)
        require(ket.ndim == 1, "alpha", "be a scalar", f"shape {ket.shape[:-1]}", "Use jax.vmap for several.")
        return self._product(to_density_matrix(ket), None)

    def product_state(self, oscillator: Numbers, tls: Numbers | None = None) -> Array:
        """Makes any TLS state (x) any oscillator state.

        Arguments:
            oscillator: (n_levels, n_levels) density matrix in the Fock basis.
            tls: (2, 2) density matrix in the basis (|+>, |->) of sx; thermal at n_bar by default.

        Returns:
            y: (2, 2, n_levels, n_levels) real.
        """
        given = {"oscillator": (jnp.asarray(oscillator), self.n_levels)}
        if tls is not None:
            given["tls"] = (jnp.asarray(tls), 2)
        for name, (value, n) in given.items():
            require(value.shape == (n, n), name, f"have shape ({n}, {n})", value.shape)
        return self._product(given["oscillator"][0], None if tls is None else given["tls"][0])

    @eqx.filter_jit
    def _product(self, oscillator: Array, tls: Array | None) -> Array:
        p = self.up_probability
        tls = jnp.diag(jnp.stack([p, 1 - p])) if tls is None else tls
        return parity.pack(tls[:, None, :, None] * oscillator[None, :, None, :])

    def density_matrix(self, y: Array) -> Array:
        """Gives the joint state, (2 n, 2 n) complex: TLS in the basis (|+>, |->) of sx first, oscillator second."""
        n = y.shape[-1]
        return parity.unpack(y).reshape(2 * n, 2 * n)

    def oscillator_state(self, y: Array) -> Array:
        """Gives the reduced density matrix of the oscillator, (n, n) complex, in the Fock basis."""
        return _traced_over_tls(y)

    # --- observables and diagnostics ---------------------------------------------------------------------------------

    @property
    def observables(self) -> dict[str, Callable]:
        """Gives n, x, p, x2, p2, x = a + a^dagger, p = -i(a - a^dagger) (Eqs. 30, 31); polarization <sx> = p+ - p-."""
        found: dict[str, Callable] = {
            name: (lambda y, i=i: quadratures(*_means(y))[i]) for i, name in enumerate(QUADRATURES)
        }
        found["polarization"] = lambda y: jnp.sum(parity.signs(y.shape[-1]).astype(y.dtype) * _populations(y))
        return found

    def diagnostics(self, y: Array) -> dict[str, Array]:
        """Gives trace_error, and truncation: population of the last four levels."""
        population = jnp.sum(_populations(y), 0)
        return {"trace_error": jnp.abs(jnp.sum(population) - 1), "truncation": jnp.sum(jnp.abs(population[-4:]))}

    @property
    def diagnostic_limits(self) -> dict[str, float]:
        """Says what each diagnostic may be before it is worth a warning."""
        return {"trace_error": 1e-5, "truncation": 1e-5}

    # --- dynamics ----------------------------------------------------------------------------------------------------

    def misfit(self, y0: Array) -> str | None:
        """Asks for blocks of parity."""
        fits = is_square(y0, 3, 4) and set(y0.shape[:-2]) == {2}
        return None if fits else "have shape (2, n, n) or (2, 2, n, n), as coherent_state and product_state make it"

    def generator(self, y0: Array) -> Callable[[Any, Array, Any], Array]:
        """Gives the right-hand side for states of y0's shape."""
        return parity.generator(y0, self.omega_0, self.splitting / 2, self.coupling, self.gamma, self.n_bar)

    def vector_field(self, t: ArrayLike, y: Array, args: PyTree = None) -> Array:
        """Gives dy/dt of Eq. 35; pure."""
        return self.generator(y)(t, y, args)

    @property
    def can_window(self) -> bool:
        """Says that it can be run on fewer levels."""
        return True

    def resized(self, y0: Array, sizes: tuple[int, ...]) -> tuple[TLSHeatedOscillator, Array]:
        """Gives the same model on the lowest (n_levels,) alone."""
        (levels,) = sizes
        return dataclasses.replace(self, n_levels=levels), y0[..., :levels, :levels]

    def window(self, y0: Array, ts: Array, atol: float, attempt: int) -> tuple[TLSHeatedOscillator, Array] | None:
        """Gives the model on the lowest levels alone, as many as the state will reach by ts[-1] with weight above atol.

        The guess is a thermal tail at the second-order rate's <n>; `evolve` looks at the edge, and asks again with the
        next attempt where that was too few. None where all levels are needed.
        """
        mean, rates, seen = jax.tree.map(np.asarray, self._reach(y0))
        gained = np.ptp(np.asarray(ts)) * np.stack(rates)
        later = mean + min(quanta for quanta in (*gained, 1e6) if quanta == quanta)
        ratio = (later + 1e-3) / (later + 1 + 1e-3)
        tail = np.log(0.1 * atol) / np.log(ratio)
        edge = np.max(seen) * 1e-3 * atol
        occupied = int(np.max(np.nonzero(seen > edge)[0], initial=0)) + 1
        wanted = 1.5**attempt * max(tail + 6, occupied + 8)
        levels = 8 * int(np.ceil(min(wanted, 1e6) / 8))
        if levels > 0.9 * y0.shape[-1]:
            return None
        return dataclasses.replace(self, n_levels=levels), jnp.asarray(np.asarray(y0)[..., :levels, :levels])

    @eqx.filter_jit
    def _reach(self, y0: Array) -> tuple[Array, list[Array], Array]:
        """Give <n>, the heating rate by every method, and the largest element on each level."""
        rates = [self.heating_rate(method) for method in get_args(Method)]
        return _means(y0)[2], rates, jnp.max(jnp.abs(y0), axis=tuple(range(y0.ndim - 1)))

    # --- rates -------------------------------------------------------------------------------------------------------

    def adiabatic(self) -> AdiabaticOscillator:
        """Gives the oscillator alone, Eq. 40: good where gamma is far above every other frequency."""
        return AdiabaticOscillator(self.omega_0, self._slaved_diffusion(), self.n_levels)

    def _slaved_diffusion(self) -> Array:
        """Give Gamma of Eq. 41."""
        return 2 * self.coupling**2 / (self.gamma * (2 * self.n_bar + 1))

    def transition_rates(self) -> tuple[Array, Array]:
        r"""Gives rates (up, down) of the oscillator by the TLS's noise at its frequency, secular and second order in g.

            up = g^2 S(-W), down = g^2 S(W), kappa = gamma (2 n_bar + 1)/2,
            S(w) = p+ 2 kappa/(kappa^2 + (w + 2h)^2) + p- 2 kappa/(kappa^2 + (w - 2h)^2)

        Returns:
            (up, down): d<n>/dt = up (<n> + 1) - down <n>.

        Example:
            >>> h = TLSHeatedOscillator(1.0, splitting=2.0, coupling=0.1, gamma=10.0, n_bar=0.0, n_levels=10)
            >>> [round(float(rate), 5) for rate in h.transition_rates()]
            [0.00294, 0.00385]

        Source: beyond Schlosshauer, Hines & Milburn, whose Eq. 41 is the limit gamma -> infinity, S(+-W) -> 2/kappa.
        """
        return self._transition_rates()

    @eqx.filter_jit
    def _transition_rates(self) -> tuple[Array, Array]:
        p, kappa = self.up_probability, self.gamma * (2 * self.n_bar + 1) / 2

        def spectrum(w: Array) -> Array:
            lines = (p, w + self.splitting), (1 - p, w - self.splitting)
            return sum((weight * 2 * kappa / (kappa**2 + away**2) for weight, away in lines), jnp.zeros_like(kappa))

        return self.coupling**2 * spectrum(-self.omega_0), self.coupling**2 * spectrum(self.omega_0)

    def heating_rate(self, method: str = "slaved", n: Numbers = 0.0) -> Array:
        """Gives the rate d<n>/dt at which quanta arrive.

        Arguments:
            method: "slaved", 2 Gamma of Eq. 41; or "second-order", from `transition_rates`.
            n: mean number at which the second-order rate is taken.

        Returns:
            The rate, a scalar [frequency].

        Raises:
            ValueError: for another method.

        Example:
            >>> h = TLSHeatedOscillator(1.0, splitting=2.0, coupling=1.0, gamma=10.0, n_bar=0.0, n_levels=10)
            >>> float(h.heating_rate()), round(float(h.heating_rate("second-order")), 4)
            (0.4, 0.2941)

        Source: Schlosshauer, Hines & Milburn, Eq. 41. With g = 1, gamma = 10 and n_bar = 0 it gives half again too much
        heat up to t = 10/W, at gamma = 100 0.5 % too much (`reproduce.schlosshauer_fig3`).
        """
        methods = get_args(Method)
        require(method in methods, "method", f"be one of {', '.join(map(repr, methods))}", repr(method))
        if method == "slaved":
            return 2 * self._slaved_diffusion()
        up, down = self.transition_rates()
        number = jnp.asarray(n)
        return up * (number + 1) - down * number


@jax.jit
def _traced_over_tls(y: Array) -> Array:
    return jnp.trace(parity.unpack(y), axis1=0, axis2=2)


def _populations(y: Array) -> Array:
    """Give the populations of (sector, level), (2, n)."""
    diagonal = jnp.diagonal(y, 0, -2, -1)
    return diagonal if y.ndim == 3 else jnp.stack([diagonal[0, 0], diagonal[1, 1]])


def _means(y: Array) -> tuple[Array, Array, Array]:
    """Give <a>, <a^2> and <n>: a leads from one parity sector to the other, a^2 stays."""
    n = y.shape[-1]
    k = np.arange(n)
    number = jnp.sum(k.astype(y.dtype) * _populations(y))
    same = y if y.ndim == 3 else jnp.stack([y[0, 0], y[1, 1]])
    a2 = _lowering(same, same, np.sqrt(k[2:] * (k[2:] - 1.0)))
    if y.ndim == 3:
        return jnp.zeros_like(a2), a2, number
    cross = jnp.stack([y[0, 1], y[1, 0]])
    return _lowering(cross, cross[::-1], np.sqrt(k[1:])), a2, number


def _lowering(block: Array, mirror: Array, elements: np.ndarray) -> Array:
    """Give sum_k elements_k <k+d|rho|k>, rho = ((F + G) + i (F - G))/2, G the transpose of the mirrored block."""
    d = block.shape[-1] - len(elements)
    below, above = jnp.diagonal(block, -d, -2, -1), jnp.diagonal(mirror, d, -2, -1)
    weights = elements.astype(block.dtype)
    return jnp.sum(weights * ((below + above) + 1j * (below - above))) / 2
