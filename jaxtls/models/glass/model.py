"""Models a glass of interacting two-level systems under phonons: exact reduced states of hundreds, open or closed.

    H = -1/2 sum_i nu_i S0_i + sum_{i != j} J_ij S0_i S0_j,
    jumps S+_i at the rate eps Y_i (f_i + 1), S-_i at eps Y_i f_i,   S± = S^x ± i S^y, twice the ladder operators.

S0 = +1 is the ground state of each TLS, and hbar = k_B = 1.

Source: C. Artiaco, F. Balducci and A. Scardicchio, on two-level systems in glasses and many-body localization (equation
numbers below are theirs). With dissipation they exponentiate 4^N numbers (App. F); the closed form used here is that of
M. Foss-Feig, K. Hazzard, J. Bollinger and A. M. Rey, Phys. Rev. A 87, 042101 (2013), for any product state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ..._checks import concrete, finite, positive, require, size
from ..._types import Numbers
from ...lindblad import Lindbladian
from . import brute_force, entropies, observables, sampling
from .pairs import over_time_chunks, pair_indices, pair_matrices
from .reduced import MAX_SITES
from .relaxation import Sites


class TLSGlass(eqx.Module):
    """Models N two-level systems with Ising couplings and thermal jumps, in closed form from any product state.

    d rho/dt = -i[H, rho] + sum_i G+_i D[|+><-|_i] rho + G-_i D[|-><+|_i] rho     (Eqs. 10-12)
    G+ = 4 eps Y (1 + f) towards the ground state S0 = +1, G- = 4 eps Y f away from it.

    Each element of a reduced density matrix costs O(N). Observables take Bloch vectors `bloch` (N, 3) in the
    (S^x, S^y, S^0) frame of each TLS and times `ts` (T,) >= 0 in any order; energies are in the unit of `frequencies`,
    for sampled glasses W, times in hbar/W. All of them may be traced, mapped and differentiated.

    Arguments:
        frequencies: nu, (N,), level splittings [W].
        couplings: J, (N, N) symmetric [W]; the sum over i != j counts each pair twice, so 2 J_ij multiplies S0_i S0_j.
            The diagonal changes nothing (S0² = 1) and is ignored.
        rates: Y, (N,), >= 0 [W/hbar].
        occupation: f, number of phonons at nu, a scalar or (N,), >= 0; a plain 0 selects the faster T = 0 formulas.
        dissipation: eps >= 0, a factor on all rates; 0 is the closed system.
        positions: (N, 3) for the bubbles of `half_system_entropy`; None: bubbles of strongest coupling |J_ij|.
        box: side of a periodic cube, in the unit of `positions`; None: open space.

    Raises:
        ValueError: naming the argument, its value and the remedy.

    Example:
        >>> glass = TLSGlass.sample(jax.random.key(0), 20)
        >>> bloch = random_bloch_vectors(jax.random.key(1), 20)
        >>> glass.concurrence(bloch, jnp.array([0.0, 1e-3, 1e-2])).shape
        (3,)

    Source: Artiaco, Balducci & Scardicchio, Eqs. 1-12. Corrected here: Y_i goes as nu_i, not nu_i³ (their App. B and
    dimensions), and the Bose function has its exponential.
    """

    frequencies: Array
    couplings: Array
    rates: Array
    occupation: Any
    dissipation: Array
    positions: Array | None
    box: Array | None

    def __init__(
        self,
        frequencies: Numbers,
        couplings: Numbers,
        rates: Numbers,
        occupation: Numbers = 0.0,
        dissipation: Numbers = 1.0,
        positions: Numbers | None = None,
        box: Numbers | None = None,
    ):
        self.frequencies = finite("frequencies", frequencies)
        require(
            self.frequencies.ndim == 1 and self.frequencies.size >= 2,
            "frequencies",
            "have shape (N,) with N >= 2",
            f"shape {self.frequencies.shape}",
        )
        n = self.frequencies.shape[0]
        self.couplings = _shaped("couplings", finite("couplings", couplings), (n, n))
        known = concrete(self.couplings)
        if known is not None:
            good = np.allclose(known, known.T, rtol=1e-5, atol=1e-7 * float(np.max(np.abs(known))))
            require(good, "couplings", "be symmetric", couplings, "Each pair enters with J_ij + J_ji.")
        self.rates = _shaped("rates", positive("rates", rates, zero=True), (n,))
        checked = positive("occupation", occupation, zero=True)
        _shaped("occupation", checked, (), (n,))
        # A jax array made inside jit is not known there: zero stays a NumPy array, which keeps the choice of T = 0.
        raw = concrete(occupation)
        cold = raw is not None and not np.any(raw)
        self.occupation = np.zeros(checked.shape, self.frequencies.dtype) if cold else checked
        self.dissipation = _shaped("dissipation", positive("dissipation", dissipation, zero=True), ())
        self.positions = None if positions is None else _shaped("positions", finite("positions", positions), (n, 3))
        self.box = None if box is None else _shaped("box", positive("box", box), ())

    @classmethod
    def sample(
        cls,
        key: Array,
        n_tls: int,
        *,
        tunnelling: Numbers = 0.1,
        decades: Numbers = 2.0,
        compression: Numbers = 1e3,
        dissipation: Numbers = 1.0,
        temperature: Numbers = 0.0,
        occupation: Numbers | None = None,
        energy_width: Numbers = 1.0,
        deformation_potential: Numbers = 1.0,
        density: Numbers = 2000.0,
        speed_longitudinal: Numbers = 5000.0,
        speed_transverse: Numbers = 5000.0,
        spacing: Numbers = 1e-8,
    ) -> TLSGlass:
        """Draws one glass from the paper's disorder; energies in W, times in hbar/W.

        nu = 2 sqrt(e² + D²), e uniform in (0, W), D log-uniform over `decades` decades about `tunnelling`;
        J_ij = -J0 (e_i/nu_i)(e_j/nu_j)(g_L + g_T)/x_ij³, g normal, x_ij in a periodic cube of side N^(1/3);
        Y_i = Y0 D_i² nu_i (c_L + c_T), c chi-squared with one degree of freedom;
        J0 = gamma²/(8 pi rho l³ v²), Y0 = gamma² W³/(30 pi rho hbar⁴ v⁵), l = spacing/compression, v that of g or c.
        With the paper's numbers, the defaults, J0 = 127 W and Y0 = 954 W/hbar: many J and 4 Y exceed nu <= 2.8 W, and
        the weak coupling behind the master equation fails. Take it as a model, or lower `compression` and
        `deformation_potential`.

        Arguments:
            key: a JAX random key.
            n_tls: number of TLSs N.
            tunnelling: the typical tunnelling amplitude [W].
            decades: their range in decades.
            compression: R, distances are divided by it [1].
            dissipation: eps, as in `TLSGlass`.
            temperature: k_B T [W]; fixes `occupation` by the Bose function of nu_i/T.
            occupation: f directly, instead of `temperature`.
            energy_width: W [eV].
            deformation_potential: gamma [eV].
            density: rho [kg/m³].
            speed_longitudinal, speed_transverse: of sound [m/s].
            spacing: mean distance of the TLSs [m] before compression.

        Returns:
            TLSGlass, differentiable with respect to every parameter but `n_tls`.

        Raises:
            ValueError: a parameter is out of range, or both `temperature` and `occupation` are given.

        Example:
            >>> sharper = lambda R: TLSGlass.sample(jax.random.key(0), 4, compression=R).couplings[0, 1]
            >>> bool(jnp.isclose(jax.grad(sharper)(1e3), 3 * sharper(1e3) / 1e3))  # J ~ R³
            True

        Source: Artiaco, Balducci & Scardicchio, Section II B and Eqs. 2, 3, 7, 8. Their (hbar nu)³ in Y is (hbar nu)¹.
        """
        drawn = sampling.draw(
            key,
            n_tls,
            tunnelling=tunnelling,
            decades=decades,
            compression=compression,
            energy_width=energy_width,
            deformation_potential=deformation_potential,
            density=density,
            speed_longitudinal=speed_longitudinal,
            speed_transverse=speed_transverse,
            spacing=spacing,
        )
        cold = isinstance(temperature, int | float) and temperature == 0
        require(
            occupation is None or cold, "occupation", "be None where `temperature` is given", occupation, "Give one."
        )
        if occupation is None:
            checked = positive("temperature", temperature, zero=True)
            occupation = 0.0 if cold else sampling.bose(drawn.frequencies, checked)
        return cls(drawn.frequencies, drawn.couplings, drawn.rates, occupation, dissipation, drawn.positions, drawn.box)

    @property
    def n_tls(self) -> int:
        """Gives the number of TLSs."""
        return self.frequencies.shape[-1]

    @property
    def pairs(self) -> np.ndarray:
        """Lists the sites of each pair i < j in the order of all pair quantities, (P, 2)."""
        return np.stack(pair_indices(self.n_tls), axis=1)

    # --- entanglement of pairs ---

    def concurrence(self, bloch: Numbers, ts: Numbers) -> Array:
        """Gives the mean concurrence C(t) = (1/N) sum_{i<j} C_ij, (T,)   (Eq. 13); zero where it is zero."""
        return self._run(observables.mean_concurrence, bloch, ts)

    def pair_concurrences(self, bloch: Numbers, ts: Numbers) -> Array:
        """Gives the concurrence of each pair, (T, P); `pairs` says which."""
        return self._run(observables.pair_concurrences, bloch, ts)

    def pair_density_matrices(self, bloch: Numbers, ts: Numbers) -> Array:
        """Gives rho_ij of all pairs i < j, (T, P, 4, 4), basis (S0 = +1, S0 = -1) of i, then of j (i slower)."""
        return self._run(pair_matrices, bloch, ts)

    # --- any subsystem ---

    def reduced_density_matrix(self, bloch: Numbers, t: ArrayLike, sites: Sequence[int]) -> Array:
        """Gives the exact state of some sites at one time, the rest traced out.

        Arguments:
            bloch: (N, 3) initial Bloch vectors.
            t: one time >= 0.
            sites: k different sites, k <= 13.

        Returns:
            (2^k, 2^k) complex, basis (S0 = +1, S0 = -1) per site, sites[0] slowest.

        Raises:
            ValueError: repeated or missing sites, or too many.

        Example:
            >>> glass = TLSGlass.sample(jax.random.key(0), 8)
            >>> rho = glass.reduced_density_matrix(random_bloch_vectors(jax.random.key(1), 8), 1e-3, (0, 5, 2))
            >>> rho.shape, bool(jnp.isclose(jnp.trace(rho), 1))
            ((8, 8), True)

        Source: module docstring of `jaxtls.models.glass.reduced`.
        """
        listed = [size("sites", s, 0) for s in sites]
        good = len(set(listed)) == len(listed) > 0 and all(s < self.n_tls for s in listed)
        require(good, "sites", f"list different sites from 0 to {self.n_tls - 1}", listed)
        require(len(listed) <= MAX_SITES, "sites", f"list at most {MAX_SITES} sites", f"{len(listed)}")
        order = np.array([*listed, *(s for s in range(self.n_tls) if s not in listed)])
        t = positive("t", t, zero=True)
        require(t.ndim == 0, "t", "be one time", f"shape {t.shape}", "Use jax.vmap for several.")
        return self._run(observables.reduced_density_matrix, bloch, t[None], len(listed), order=order)

    def half_system_entropy(self, bloch: Numbers, ts: Numbers) -> Array:
        """Gives the von Neumann entropy of half of the system, averaged over bubbles of the N//2 nearest TLSs, (T,).

        The centre counts. Natural logarithm, not divided by N. With `positions` by nearest image in `box`; without, the
        nearest are those of strongest |J_ij|. Costs N matrices of 2^(N/2) for each time: N <= 26.
        """
        k = self.n_tls // 2
        memory = f"{16 * 4.0**k / 2**30:.3g} GiB for one reduced matrix"
        require(k <= MAX_SITES, "n_tls", f"be at most {2 * MAX_SITES + 1}", f"{self.n_tls} ({memory})")
        if self.positions is None:
            closeness = -jnp.abs(self.couplings + self.couplings.T)
        else:
            closeness = sampling.squared_distances(self.positions, self.box)
        orders = entropies.bubbles(jax.lax.stop_gradient(closeness))
        return self._run(entropies.mean_half_system_entropy, bloch, ts, order=orders)

    def site_entropies(self, bloch: Numbers, ts: Numbers) -> Array:
        """Gives the von Neumann entropy of each TLS, natural logarithm, (T, N)."""
        return self._run(entropies.site_entropies, bloch, ts)

    def mutual_information(self, bloch: Numbers, ts: Numbers) -> Array:
        """Gives S_i + S_j - S_ij of each pair, natural logarithm, (T, P)."""
        return self._run(entropies.mutual_information, bloch, ts)

    # --- expectation values ---

    def bloch_vectors(self, bloch: Numbers, ts: Numbers) -> Array:
        """Gives <S^x>, <S^y>, <S^0> of each TLS, (T, N, 3)."""
        return self._run(observables.bloch_vectors, bloch, ts)

    def polarization(self, bloch: Numbers, ts: Numbers) -> Array:
        """Gives <S^0> of each TLS, (T, N): no coupling enters it."""
        return self._run(observables.polarization, bloch, ts)

    def correlations(self, bloch: Numbers, ts: Numbers) -> Array:
        """Gives the connected correlations <S^a_i S^b_j> - <S^a_i><S^b_j> of each pair, a, b = x, y, 0, (T, P, 3, 3).

        That of S^0 with S^0 is zero: the populations relax independently of each other.
        """
        return self._run(observables.correlations, bloch, ts)

    # --- brute force ---

    def lindbladian(self, flip_flop: Numbers | None = None, pair_flip: Numbers | None = None) -> Lindbladian:
        """Gives the same master equation on the full (2^N, 2^N) state: s± as jumps, basis (S0 = +1, S0 = -1).

        Optional terms of App. D, with which the closed form no longer holds:
            sum_{i<j} K_ij (S+_i S-_j + h.c.) + L_ij (S+_i S+_j + h.c.),   S± twice the ladder operators.

        Arguments:
            flip_flop: K, (N, N), read above the diagonal [W].
            pair_flip: L, (N, N), read above the diagonal [W].

        Returns:
            A Lindbladian, for `mesolve`, `steady_state`, `correlation`...; `product_state` gives it a start.

        Raises:
            ValueError: N > 10, or a wrong shape.

        Example:
            >>> glass = TLSGlass([1.0, 1.2], [[0.0, 0.5], [0.5, 0.0]], [0.1, 0.2])
            >>> bloch = jnp.array([[1.0, 0, 0], [0, 1.0, 0]])
            >>> sol = jt.mesolve(glass.lindbladian(), [], glass.product_state(bloch), jnp.array([0.0, 1.0]))
            >>> bool(jnp.allclose(sol.states[1], glass.reduced_density_matrix(bloch, 1.0, (0, 1)), atol=1e-6))
            True

        Source: Artiaco, Balducci & Scardicchio, Eqs. 10-12 and App. D.
        """
        n = self._few()
        terms = {"flip_flop": flip_flop, "pair_flip": pair_flip}
        extra = [None if v is None else _shaped(name, finite(name, v), (n, n)) for name, v in terms.items()]
        h = brute_force.hamiltonian(self.frequencies, _symmetric(self.couplings), *extra)
        bias = 4 * self.dissipation * self.rates
        return brute_force.lindbladian(h, bias * (1 + self.occupation), bias * self.occupation)

    def product_state(self, bloch: Numbers) -> Array:
        """Makes the state with Bloch vectors (N, 3) a density matrix (2^N, 2^N), for `lindbladian`.

        Arguments:
            bloch: (N, 3), in the (S^x, S^y, S^0) frame of each TLS.

        Returns:
            rho, basis (S0 = +1, S0 = -1) per site, first site slowest.

        Raises:
            ValueError: N > 10, or a wrong shape.

        Example:
            >>> glass = TLSGlass([1.0, 1.2], [[0.0, 0.5], [0.5, 0.0]], [0.1, 0.2])
            >>> jnp.diag(glass.product_state([[0, 0, 1.0], [0, 0, -1.0]])).real.tolist()  # the second is excited
            [0.0, 1.0, 0.0, 0.0]
        """
        return brute_force.product_state(sampling.bloch_array(bloch, self._few(), self.frequencies.dtype))

    def _few(self) -> int:
        n, most = self.n_tls, brute_force.MAX_STATE
        memory = f"{16 * 4.0**n / 2**30:.3g} GiB for the state"
        remedy = "The closed forms (concurrence, reduced_density_matrix, ...) have no such limit."
        require(n <= most, "n_tls", f"be at most {most}", f"{n} ({memory})", remedy)
        return n

    # --- shared ---

    def _run(
        self, f: Callable[..., Array], bloch: Numbers, ts: Numbers, *static: Any, order: Numbers | None = None
    ) -> Array:
        times = positive("ts", ts, zero=True)
        require(times.ndim == 1 and times.size > 0, "ts", "be one-dimensional, not empty", f"shape {times.shape}")
        known = concrete(self.occupation)
        thermal = known is None or bool(np.any(known))
        arrays = (self.frequencies, self.couplings, self.rates, self.occupation, self.dissipation)
        dtype = jnp.result_type(*arrays, times)
        bloch = sampling.bloch_array(bloch, self.n_tls, dtype)
        cast = tuple(jnp.asarray(x).astype(dtype) for x in arrays)
        return _compiled(f, thermal, static, cast, bloch, times.astype(dtype), order)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _compiled(
    f: Callable, thermal: bool, static: tuple, arrays: tuple, bloch: Array, ts: Array, order: Array | None
) -> Array:
    frequencies, couplings, rates, occupation, dissipation = arrays
    x, y, z = (bloch[:, k] for k in range(3))
    bias = 4 * dissipation * rates
    up, down = (jnp.where(s * z < -1, 0.0, (1 + s * z) / 2) for s in (1, -1))
    sites = Sites(frequencies, bias, bias * occupation, (up, down), up - down, (x - 1j * y) / 2, thermal)
    shifts = 4 * _symmetric(couplings)
    extra = () if order is None else (order,)
    return over_time_chunks(lambda chunk: f(sites, shifts, chunk, *extra, *static), ts, shifts.shape[0])


def _symmetric(couplings: Array) -> Array:
    return (couplings + couplings.T) / 2 * (1 - jnp.eye(couplings.shape[0], dtype=couplings.dtype))


def _shaped(name: str, value: Array, *shapes: tuple[int, ...]) -> Array:
    require(value.shape in shapes, name, f"have shape {' or '.join(map(str, shapes))}", f"shape {value.shape}")
    return value
