"""Models an oscillator in a bath of two-level systems, or of oscillators: Eq. 23 of Schlosshauer, Hines & Milburn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import concrete, finite, positive, real, require, times
from ..._types import Numbers, SpectralDensity
from ...numerics.exponential import expm1
from ...numerics.products import matmul
from .coefficients import Coefficients
from .density import DiscreteSpectralDensity
from .fock import SpinBathFock
from .parameters import AbstractSpinBath

Bath = Literal["spin", "oscillator"]
MOMENTS = ("x", "p", "x2", "p2", "xp")


class SpinBathOscillator(AbstractSpinBath):
    r"""Models a harmonic oscillator X in a bath of two-level systems (or of oscillators), Born-Markov. hbar = k_B = 1.

        d rho/dt = -i[P^2/2M + M (Omega_0^2 + S) X^2/2, rho] - i gamma [X, {P, rho}] - D [X, [X, rho]] - f [X, [P, rho]]

    With J the spectral density and W = Omega_0,

        gamma = (pi/2) J(W) tanh(W/2T)/(M W)           D = D_0 + (pi/2) J(W)
        S = -(2/M) P int J(w) tanh(w/2T) w/(w^2 - W^2) dw    f = -(1/(M W)) P int J(w) W/(W^2 - w^2) dw

    For `bath="oscillator"` tanh is absent from gamma and S, and coth(w/2T) enters D and f: quantum Brownian motion.
    The state is a vector of moments; `fock(n_levels)` gives the same equation for density matrices.

    Arguments:
        omega_0: Omega_0 of the bare oscillator [frequency], > 0.
        spectral_density: `OhmicSpectralDensity` (closed forms), `DiscreteSpectralDensity` (a list of TLSs), or any
            function J of an array of frequencies, elementwise and written with jnp.
        temperature: T of the bath [energy], >= 0.
        mass: M, > 0.
        bath: "spin" or "oscillator" (static).
        static_diffusion: D_0, an extra momentum diffusion from elsewhere.
        counter_term: True leaves S out, so that omega_0 is the frequency after the bath's shift (static).
        time_dependent: True uses the coefficients of finite times, for a `DiscreteSpectralDensity` (static);
            `discretize` makes one of any J.
        quadrature_step: spacing of the quadrature's nodes in ln w, for principal values (static). The default gives
            1e-6 or better for features of J wider than about 1.5 % (Gaussian) or 3 % (Lorentzian, half width) of their
            frequency, and a warning below three times that, or where J has jumps or kinks.

    Raises:
        ValueError: if an argument is out of range; and, once states are asked for, if the oscillator is unstable.

    Example:
        >>> J = OhmicSpectralDensity(gamma_0=0.05, cutoff=5.0)
        >>> b = SpinBathOscillator(omega_0=1.0, spectral_density=J, temperature=0.5)
        >>> print(f"{b.coefficients.damping:.6f} {b.coefficients.frequency_shift:.6f}")
        0.036615 -0.480785
        >>> sol = jt.evolve(b, b.moments_state(x=1.0), jnp.linspace(0.0, 5.0, 6))
        >>> sol.observables["x2"].shape
        (6,)

    Source: Schlosshauer, Hines & Milburn, Eqs. 23-28. jaxtls corrects: the square of Omega_0 that their Eq. 1 lost;
    C_0 (see `DiscreteSpectralDensity`); and D_0 = C_0 pi delta(Omega_0), which is zero: there is no "heating at a rate
    of at least D_0" in the Markov limit, and `static_diffusion` is for noise from elsewhere. Nor does dissipation
    vanish at T = 0, as their abstract says: gamma is largest there.
    """

    def __init__(
        self,
        omega_0: Numbers,
        spectral_density: SpectralDensity | DiscreteSpectralDensity,
        temperature: Numbers,
        mass: Numbers = 1.0,
        bath: str = "spin",
        static_diffusion: Numbers = 0.0,
        counter_term: bool = False,
        time_dependent: bool = False,
        quadrature_step: float = 0.0125,
    ):
        self.omega_0 = positive("omega_0", omega_0)
        self.temperature = positive("temperature", temperature, zero=True)
        self.mass = positive("mass", mass)
        self.static_diffusion = positive("static_diffusion", static_diffusion, zero=True)
        for name in ("omega_0", "temperature", "mass", "static_diffusion"):
            value = getattr(self, name)
            require(value.ndim == 0, name, "be a number", f"shape {value.shape}", "Use jax.vmap for several.")
        forms = get_args(Bath)
        require(bath in forms, "bath", f"be one of {', '.join(map(repr, forms))}", repr(bath))
        listed = isinstance(spectral_density, DiscreteSpectralDensity)
        good = listed or callable(spectral_density)
        require(good, "spectral_density", "be a function of frequency or a DiscreteSpectralDensity", spectral_density)
        require(
            listed or not time_dependent,
            "time_dependent",
            "be False for a continuous spectral density",
            True,
            "Pass jt.discretize(J, n_modes, scale=omega_0) as spectral_density.",
        )
        require(
            isinstance(quadrature_step, float) and 1e-4 <= quadrature_step <= 0.2,
            "quadrature_step",
            "be a Python float from 1e-4 to 0.2",
            quadrature_step,
        )
        self.spectral_density = spectral_density
        self.bath, self.counter_term, self.time_dependent = bath, bool(counter_term), bool(time_dependent)
        self.quadrature_step = quadrature_step

    # --- states ------------------------------------------------------------------------------------------------------

    def moments_state(
        self,
        x: Numbers = 0.0,
        p: Numbers = 0.0,
        x2: Numbers | None = None,
        p2: Numbers | None = None,
        xp: Numbers | None = None,
    ) -> Array:
        """Takes <X>, <P>, <X^2>, <P^2>, <{X, P}> as a state for `evolve`.

        Arguments:
            x, p: means.
            x2, p2, xp: second moments <X^2>, <P^2>, <XP + PX>; by default those of the coherent state of the bare
                oscillator with these means.

        Returns:
            (5,) array.

        Raises:
            ValueError: if the numbers break the uncertainty relation, or the model is unstable.

        Example:
            >>> J = OhmicSpectralDensity(gamma_0=0.05, cutoff=5.0)
            >>> SpinBathOscillator(1.0, J, temperature=0.5).moments_state(x=1.0).tolist()
            [1.0, 0.0, 1.5, 0.5, 0.0]
        """
        self.require_stable()
        x, p = finite("x", x), finite("p", p)
        width = self.mass * self.omega_0
        x2 = x**2 + 1 / (2 * width) if x2 is None else finite("x2", x2)
        p2 = p**2 + width / 2 if p2 is None else finite("p2", p2)
        xp = 2 * x * p if xp is None else finite("xp", xp)
        y = jnp.stack([jnp.asarray(v, jnp.result_type(float)) for v in (x, p, x2, p2, xp)])
        gap = concrete(_uncertainty_deficit(y))
        scale = concrete(y[2] * y[3])
        tolerance = 1e3 * float(jnp.finfo(y.dtype).eps) * (1 + (0.0 if scale is None else abs(float(scale))))
        require(
            gap is None or bool(gap <= tolerance),
            "x2",
            "with p2 and xp obey Var X Var P - Cov^2 >= 1/4",
            f"a deficit of {gap}",
            "Leave the second moments out for a coherent state.",
        )
        return y

    def fock(self, n_levels: int) -> SpinBathFock:
        """Gives the same equation as a density-matrix model on `n_levels` Fock states of the Omega_0 oscillator."""
        self.require_stable()
        require(
            isinstance(n_levels, int | np.integer) and n_levels >= 5, "n_levels", "be a plain int >= 5", repr(n_levels)
        )
        return SpinBathFock(self, int(n_levels))

    # --- observables and diagnostics ---------------------------------------------------------------------------------

    @property
    def observables(self) -> dict[str, Callable]:
        """Gives x, p, x2, p2 and xp (= <XP + PX>)."""
        return {name: (lambda y, i=i: y[i]) for i, name in enumerate(MOMENTS)}

    @property
    def optional_observables(self) -> dict[str, Callable]:
        """Gives energy (of the bare oscillator) and symplectic, its symplectic eigenvalue (1/2 for a pure Gaussian)."""
        k = self.mass * self.omega_0**2
        return {"energy": lambda y: y[3] / (2 * self.mass) + k * y[2] / 2, "symplectic": symplectic_eigenvalue}

    def diagnostics(self, y: Array) -> dict[str, Array]:
        """Gives positivity_error: by how much the symplectic eigenvalue is below 1/2, where no quantum state is."""
        return {"positivity_error": jnp.maximum(0.0, 0.5 - symplectic_eigenvalue(y))}

    @property
    def diagnostic_limits(self) -> dict[str, float]:
        """Says what each diagnostic may be before it is worth a warning."""
        return {"positivity_error": 1e-6}

    # --- dynamics ----------------------------------------------------------------------------------------------------

    def misfit(self, y0: Array) -> str | None:
        """Asks for the five moments."""
        fits = eqx.is_array(y0) and y0.shape == (5,)
        return None if fits else "have shape (5,), as moments_state makes it; `fock` takes density matrices"

    def generator(self, y0: Array) -> Callable[[Any, Array, Any], Array]:
        """Gives the right-hand side with its coefficients computed once."""
        coefficients = self.coefficient_function()

        def field(t: ArrayLike, y: Array, args: PyTree = None) -> Array:
            a, b = self._affine(coefficients(t))
            return matmul(a, y) + b

        return field

    def _affine(self, c: Coefficients) -> tuple[Array, Array]:
        """Give A and b of dy/dt = A y + b."""
        m, k, g = self.mass, self.mass * (self.omega_0**2 + c.frequency_shift), c.damping
        zero = jnp.zeros_like(k)
        rows = [
            [zero, 1 / m, zero, zero, zero],
            [-k, -2 * g, zero, zero, zero],
            [zero, zero, zero, zero, 1 / m],
            [zero, zero, zero, -4 * g, -k],
            [zero, zero, -2 * k, 2 / m, -2 * g],
        ]
        a = jnp.stack([jnp.stack([v + zero for v in row]) for row in rows])
        return a, jnp.stack([zero, zero, zero, 2 * c.diffusion + zero, -2 * c.anomalous + zero])

    def vector_field(self, t: ArrayLike, y: Array, args: PyTree = None) -> Array:
        """Gives dy/dt of the five moments, which close on themselves; pure."""
        return self.generator(y)(t, y, args)

    def propagate(self, y0: Numbers, ts: Numbers) -> Array:
        """Gives the moments at times ts by the exact exponential of the affine equation, to round-off.

        Arguments:
            y0: (5,), the moments at ts[0].
            ts: (T,) ascending times.

        Returns:
            (T, 5): x, p, x2, p2, xp.

        Raises:
            ValueError: for time-dependent coefficients, or an unstable model.

        Example:
            >>> J = OhmicSpectralDensity(gamma_0=0.05, cutoff=5.0)
            >>> b = SpinBathOscillator(1.0, J, temperature=0.5)
            >>> late = b.propagate(b.moments_state(x=1.0), jnp.array([0.0, 1e4]))[-1]
            >>> bool(jnp.allclose(late, b.steady_state(), atol=1e-6))
            True
        """
        require(not self.time_dependent, "time_dependent", "be False for an exact propagator", True, "Use jt.evolve.")
        self.require_stable()
        y0, ts = real("y0", y0), times("ts", ts)
        require(y0.shape == (5,), "y0", "have shape (5,)", y0.shape, "Build it with moments_state.")
        return _propagate(self, y0, ts)

    def steady_state(self) -> Array:
        """Gives the moments at late times, (5,): <P^2> = D/(2 gamma), <X^2> = (<P^2>/M - f)/(M (Omega_0^2 + S)).

        Raises:
            ValueError: if nothing damps the oscillator, or it is unstable.

        Example:
            >>> J = OhmicSpectralDensity(gamma_0=1e-6, cutoff=5.0)  # weakly coupled: equipartition at W/2T
            >>> x2 = SpinBathOscillator(1.0, J, temperature=0.5).steady_state()[2]
            >>> bool(abs(x2 - 0.5 / jnp.tanh(1.0)) < 1e-4)
            True
        """
        self.require_stable()
        c = self.coefficient_function()(jnp.asarray(jnp.inf)) if not self.time_dependent else self.coefficients
        damping = concrete(c.damping)
        require(
            damping is None or bool(damping > 0), "spectral_density", "damp the oscillator (J(omega_0) > 0)", damping,
            "Without damping there is no steady state.",
        )  # fmt: skip
        p2 = c.diffusion / (2 * c.damping)
        x2 = (p2 / self.mass - c.anomalous) / (self.mass * self.stiffness)
        zero = jnp.zeros_like(p2)
        return jnp.stack([zero, zero, x2, p2, zero])


def symplectic_eigenvalue(y: Array) -> Array:
    """Gives sqrt(Var X Var P - Cov(X, P)^2) of moments (5,); 1/2 or more in a quantum state; 0 where it is not real."""
    determinant = _determinant(y)
    good = determinant > 0
    return jnp.where(good, jnp.sqrt(jnp.where(good, determinant, 1.0)), 0.0)


def _determinant(y: Array) -> Array:
    x, p, x2, p2, xp = y
    return (x2 - x**2) * (p2 - p**2) - (xp / 2 - x * p) ** 2


def _uncertainty_deficit(y: Array) -> Array:
    return 0.25 - _determinant(y)


@eqx.filter_jit
def _propagate(model: SpinBathOscillator, y0: Array, ts: Array) -> Array:
    a, b = model._affine(model.coefficient_function()(ts[0]))
    joint = jnp.zeros((6, 6), a.dtype).at[:5, :5].set(a).at[:5, 5].set(b)

    def step(y: Array, dt: Array) -> tuple[Array, Array]:
        y = y + matmul(expm1(joint * dt), y)
        return y, y

    start = jnp.concatenate([y0.astype(a.dtype), jnp.ones(1, a.dtype)])
    _, later = jax.lax.scan(step, start, jnp.diff(ts).astype(a.dtype))
    return jnp.concatenate([start[None], later])[:, :5]
