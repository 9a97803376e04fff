"""Public programs, small, as functions of numbers that are traced: what is lowered for a GPU.

`benchmarks.programs.MAIN` has the large ones. Each here: the function, its arguments, whether it has a derivative, and
whether a diffrax solver runs inside (whose own checks call the host unless EQX_ON_ERROR says otherwise).
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxtls as jt


class Program(NamedTuple):
    """`function(*arguments)`."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = (0.9,)
    has_gradient: bool = True
    solver: bool = False


TS = np.linspace(0.0, 0.5, 4)
SX, SZ, SM = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]])
A = np.diag(np.sqrt(np.arange(1.0, 6.0)), 1)
UP, RHO = np.diag([1.0, 0.0]), np.diag([0.6, 0.4])
KEY = jax.random.key(0)
FREQUENCIES = 5e9 + np.linspace(-5e5, 5e5, 11)


def qubit(x: Any) -> jt.Lindbladian:
    return jt.Lindbladian(x * SX + SZ, [SM, SM.T], rates=[x, 0.2])


def oscillator(x: Any) -> jt.Lindbladian:
    return jt.Lindbladian(x * (A.T @ A) + 0.3 * (A + A.T), [A], rates=[x])


def chain(x: Any) -> jt.Lindbladian:
    """Five spins, 32 levels: too many for one dense matrix to be the first choice."""
    dims = (2,) * 5
    bonds = sum(jt.local(dims, {k: SX, k + 1: SX}) for k in range(4))
    fields = sum(jt.local(dims, {k: SZ}) for k in range(5))
    return jt.Lindbladian(x * bonds + fields, [jt.local(dims, {k: SM}) for k in range(5)])


def glass(x: Any) -> jt.TLSGlass:
    return jt.TLSGlass(x * np.arange(1.0, 5.0), x * (np.ones((4, 4)) - np.eye(4)), x * np.ones(4), 0.1, 1.0)


BLOCH = np.tile([0.6, 0.0, 0.6], (4, 1))


def network(x: Any, **how: Any) -> jt.ThermalNetwork:
    return jt.ThermalNetwork([2.0, 1.0], [x, 1.25], [0.1, 0.1], baths=[0, 1], edges=[(0, 1)], **how)


def flows(x: Any, **how: Any) -> Any:
    net = network(x, **how)
    state = net.steady_state()
    return net.heat_currents(state), net.entropy_production(state), net.correlations(state)


def rest(net: jt.ThermalNetwork) -> Any:
    return net.density_matrix(net.steady_state())


def spring(x: Any) -> jt.EntropicSpring:
    return jt.EntropicSpring(1.9, x, x, beta=0.01, n_spins=20, n_levels=16, n_modes=2)


def bath(x: Any) -> jt.SpinBathOscillator:
    density = jt.OhmicSpectralDensity(gamma_0=0.05, cutoff=5.0)
    return jt.SpinBathOscillator(1.0, density, temperature=x, mass=1.0)


def tls(x: Any) -> jt.TLSBath:
    return jt.TLSBath([5.0, 5.0 + x], [0.1 * x, 0.2], 0.1, 0.1, [[x], [0.1]], x, 1.0)


def fluctuators(x: Any) -> jt.Fluctuators:
    return jt.Fluctuators(x * np.ones(3), x * np.ones(3), np.ones(3))


def resonator(x: Any) -> jt.ResonatorLoss:
    return jt.ResonatorLoss(frequency=5e9, loss_tangent=1e-6 * x, quasiparticle_amplitude=0.1, critical_temperature=9.0)


def trace(x: Any) -> jt.ResonatorTrace:
    return jt.ResonatorTrace(f_r=5e9, Q_internal=2e5 * x, Q_coupling=1e5, asymmetry=0.2, delay=4e-8, tilt=0.1)


def silica() -> jt.TunnellingSolid:
    return jt.TunnellingSolid.preset("silica")


def state(x: Any) -> Any:
    return jt.thermal_state(4, x)


def pair(x: Any) -> Any:
    bell = np.outer([1, 0, 0, 1], [1, 0, 0, 1]) / 2
    return 0.5 * x * bell + (1 - 0.5 * x) * np.diag([0.1, 0.2, 0.3, 0.4])


def evolved(make: Callable[[Any], Any], **how: Any) -> Callable[[Any], Any]:
    """Observables of a model from its coherent state."""

    def run(x: Any) -> Any:
        model = make(x)
        return jt.evolve(model, model.coherent_state(0.3), TS, **how).observables

    return run


def split(x: Any) -> Any:
    model = spring(x)
    return jt.evolve(model, model.coherent_state(0.3), TS, solver=jt.StrangSolver(model)).observables


def fock(x: Any) -> Any:
    model = bath(x).fock(8)
    return jt.evolve(model, model.coherent_state(0.3), TS).observables


def damped(x: Any) -> jt.DampedOscillator:
    return jt.DampedOscillator(x, 0.1 * x)


EVOLUTIONS = {
    "mesolve, a constant equation": Program(lambda x: jt.mesolve(x * SX + SZ, [SM], RHO, TS, [SZ], rates=[x]).expects),
    "mesolve, terms": Program(lambda x: jt.mesolve([SZ, (SX, x)], [SM], RHO, TS, [SZ]).expects),
    "evolve, an oscillator": Program(
        lambda x: jt.evolve(oscillator(x), jnp.eye(6) / 6 + 0j, TS, save_states=True).states
    ),
    "mesolve, a driven equation": Program(
        lambda x: jt.mesolve([SZ, (SX, lambda t: x * jnp.cos(t))], [SM], RHO, TS, [SZ]).expects
    ),
    "mesolve, a sampled drive": Program(
        lambda x: jt.mesolve([SZ, jt.sampled(TS, x * np.array([0.0, 1.0, 0.5, 0.0]), SX)], [SM], RHO, TS, [SZ]).expects,
    ),
    "sesolve": Program(lambda x: jt.sesolve(x * SX + SZ, np.array([1.0, 0.0]), TS, [SZ]).expects),
    "Faber": Program(
        lambda x: (
            jt.mesolve(
                oscillator(x), [], jnp.eye(6) / 6 + 0j, TS, [np.arange(6.0) * np.eye(6)], method=jt.Faber()
            ).expects
        )
    ),
    "mesolve, one exponential a time": Program(
        lambda x: jt.mesolve(qubit(x), [], RHO, TS, [SZ], method=jt.MatrixExponential()).expects
    ),
    "mesolve, pieces and an envelope": Program(
        lambda x: jt.expect(
            SZ,
            jt.mesolve(
                jt.modulated(lambda t: jnp.cos(x * t), SX) + jt.piecewise_constant([0.1, 0.3], [x], SZ), [SM], RHO, TS
            ).states,
        ),
    ),
    "trajectories": Program(
        lambda x: jt.trajectories(x * SX, [SM], np.array([1.0, 0.0]), TS, 4, KEY, [SZ]).mean, has_gradient=False
    ),
    "spring": Program(evolved(spring)),
    "spring, a solver of one's own": Program(split, solver=True),
    "heated oscillator": Program(evolved(lambda x: jt.TLSHeatedOscillator(1.0, x, 0.1, x, 0.5, n_levels=8))),
    "heated oscillator, adiabatic": Program(
        evolved(lambda x: jt.TLSHeatedOscillator(1.0, x, 0.1, x, 0.5, n_levels=8).adiabatic())
    ),
    "damped oscillator": Program(evolved(damped)),
    "spin bath, moments": Program(lambda x: bath(x).propagate(bath(x).moments_state(x=1.0), TS)),
    "spin bath, levels": Program(fock),
    "a user's own": Program(
        lambda x: jt.evolve(Decay(x), jnp.ones(2), TS, observables={"y": lambda y: y}).observables, solver=True
    ),
}


class Decay(eqx.Module):
    """dy/dt = -rate y."""

    rate: Any

    def vector_field(self, t: Any, y: Any, args: Any = None) -> Any:
        return -self.rate * y


EQUATIONS = {
    "steady state": Program(lambda x: jt.steady_state(qubit(x))),
    "steady state of an oscillator": Program(lambda x: jt.steady_state(oscillator(x))),
    "steady state of a chain": Program(lambda x: jt.steady_state(chain(x))),
    "steady state of a chain, direct": Program(lambda x: jt.steady_state(chain(x), method="direct")),
    "steady state by iteration": Program(lambda x: jt.steady_state(oscillator(x), method="iterative")),
    "steady state from a state": Program(lambda x: jt.steady_state(qubit(x), RHO)),
    "spectrum": Program(
        lambda x: jt.spectrum(qubit(x), jt.steady_state(qubit(x)), SM.T, SM, np.linspace(-1.0, 1.0, 3))
    ),
    "spectrum of a chain": Program(
        lambda x: jt.spectrum(
            chain(x), jt.steady_state(chain(x)), np.kron(SM.T, np.eye(16)), np.kron(SM, np.eye(16)), TS
        )
    ),
    "correlation": Program(lambda x: jt.correlation(oscillator(x), jnp.eye(6) / 6, A.T, A, TS)),
    "propagator": Program(lambda x: jt.propagator(qubit(x), TS)),
    "limit cycle": Program(
        lambda x: jt.periodic_steady_state(jt.Lindbladian([SZ, (SX, lambda t: x * jnp.cos(t))], [SM]), 2 * np.pi),
    ),
    "counting": Program(lambda x: dataclasses.astuple(jt.counting_statistics(qubit(x), [1.0, -1.0]))),
    "Bloch-Redfield": Program(
        lambda x: jt.steady_state(jt.BlochRedfield(x * SZ, [(SX, lambda w: 0.1 * (1 + jnp.tanh(w)))]))
    ),
}

MODELS = {
    "glass, concurrence": Program(lambda x: glass(x).concurrence(BLOCH, TS)),
    "glass, matrices": Program(lambda x: glass(x).pair_density_matrices(BLOCH, TS)),
    "glass, reduced": Program(lambda x: glass(x).reduced_density_matrix(BLOCH, 0.1, (0, 2))),
    "glass, entropies": Program(
        lambda x: (glass(x).half_system_entropy(BLOCH, TS), glass(x).site_entropies(BLOCH, TS))
    ),
    "glass, averages": Program(lambda x: (glass(x).polarization(BLOCH, TS), glass(x).correlations(BLOCH, TS))),
    "glass, each pair": Program(
        lambda x: (
            glass(x).mutual_information(BLOCH, TS),
            glass(x).pair_concurrences(BLOCH, TS),
            glass(x).bloch_vectors(BLOCH, TS),
        )
    ),
    "glass, drawn": Program(lambda key: jt.TLSGlass.sample(key, 4).couplings, (KEY,), has_gradient=False),
    "network, incoherent": Program(lambda x: flows(x, incoherent=0.1 * SX)),
    "network, coherent": Program(lambda x: flows(x, coherent=0.1 * x * SX)),
    "network, global": Program(lambda x: flows(x, coherent=0.1 * x * SX, thermalizer="global")),
    "network, counting": Program(lambda x: dataclasses.astuple(network(x, coherent=0.1 * SX).heat_statistics())),
    "network, density matrix": Program(lambda x: rest(network(x, incoherent=0.1 * SX))),
    "spring, at rest": Program(lambda x: (spring(x).entropic_ratio, spring(x).relaxation_rate())),
    "spring, limits": Program(
        lambda x: (jt.constant_rate_moments(spring(x), 0.3, TS), jt.weak_coupling_rates(spring(x), 0.3))
    ),
    "heating rates": Program(lambda x: jt.TLSHeatedOscillator(1.0, x, 0.1, x, 0.5, n_levels=8).heating_rate()),
    "damped, transitions": Program(lambda x: damped(x).transition_probabilities(TS)),
    "damped, propagator": Program(lambda x: damped(x).propagator(TS, 3)),
    "damped, waves": Program(lambda x: (damped(x).wavefunction(1, TS, t=0.5), damped(x).energies(0.5, n=2))),
    "damped, trajectory": Program(lambda x: damped(x).mean_energy(TS)),
    "phase qubit": Program(lambda x: jt.PhaseQubit(1e3, 1e-12, 1e-6, 5e-7 * x).transition_frequency(0.0)),
    "flux qubit": Program(lambda x: jt.FluxQubit(1e3, 1e-12, 1e-6, 1e-10, 1e-16 * x).transition_frequency(0.0)),
    "spin bath, coefficients": Program(lambda x: dataclasses.astuple(bath(x).coefficients)),
    "spin bath, at rest": Program(lambda x: bath(x).steady_state()),
    "spin bath, single TLSs": Program(
        lambda x: dataclasses.astuple(
            jt.SpinBathOscillator(
                1.0, jt.discretize(jt.OhmicSpectralDensity(0.05, 5.0), 20, x), temperature=x, mass=1.0
            ).coefficients
        )
    ),
    "spin bath, exact": Program(lambda x: jt.exact_bath_moments(bath(x), bath(x).moments_state(x=1.0), TS, n_modes=50)),
    "fluctuators, statistics": Program(
        lambda x: (
            fluctuators(x).autocovariance(TS),
            fluctuators(x).spectrum(TS),
            fluctuators(x).allan_variance(TS + 1),
        )
    ),
    "fluctuators, coherence": Program(lambda x: fluctuators(x).coherence(TS, pulses=4)),
    "fluctuators, likelihood": Program(lambda x: fluctuators(x).log_likelihood(TS, np.ones(4), 0.3)),
    "fluctuators, posterior": Program(lambda x: fluctuators(x).posterior_mean(TS, np.ones(4), 0.3)),
    "fluctuators, drawn": Program(lambda x, key: fluctuators(x).sample(key, TS), (0.9, KEY), has_gradient=False),
    "TLS bath, amplitude": Program(lambda x: jt.TLSBath([5.0, 5.0 + x], [0.1, 0.2], 0.1).amplitude(5.0 * x, TS)),
    "TLS bath, swaps": Program(lambda x: jt.TLSBath([5.0, 5.0 + x], [0.1, 0.2], 0.1).swap_map(5.0 * x + TS, TS)),
    "TLS bath, populations": Program(lambda x: tls(x).populations(5.0 * x, TS)),
    "TLS bath, rates": Program(lambda x: (tls(x).relaxation_rate(5.0 * x), tls(x).rate_autocovariance(5.0, TS))),
    "TLS bath, drawn": Program(lambda x, key: tls(x).rate_trace(key, TS, 5.0), (0.9, KEY), has_gradient=False),
    "resonator, quality": Program(lambda x: resonator(x).quality_factor(0.1 * x, 1.0)),
    "resonator": Program(lambda x: (resonator(x).loss(0.1 * x, 1.0), resonator(x).frequency_shift(0.1 * x))),
    "resonator's trace": Program(lambda x: trace(x).response(FREQUENCIES)),
    "photon number": Program(lambda x: jt.photon_number(-80.0, 1e6 * x, 1e5, 5e9)),
    "solid": Program(lambda x: (silica().internal_friction(1e6, x), silica().specific_heat(x))),
}

MEASURES = {
    "concurrence": Program(lambda x: jt.concurrence(pair(x))),
    "negativity": Program(lambda x: jt.negativity(pair(x), (2, 2))),
    "entropies": Program(lambda x: (jt.von_neumann_entropy(state(x)), jt.relative_entropy(state(x), state(0.5 * x)))),
    "fidelity": Program(lambda x: jt.fidelity(state(x), state(0.5 * x))),
    "partial trace": Program(lambda x: (jt.partial_trace(pair(x), (2, 2), (0,)), jt.purity(pair(x)))),
    "wigner": Program(lambda x: jt.wigner(state(x), TS, TS)),
    "states": Program(
        lambda x: (
            x * jt.fock_state(6, 2),
            jt.coherent_state(6, x),
            jt.thermal_state(6, x),
            jt.thermal_occupation(1.0, x),
        )
    ),
    "random states": Program(lambda key: jt.random_bloch_vectors(key, 3), (KEY,), has_gradient=False),
}

PUBLIC = EVOLUTIONS | EQUATIONS | MODELS | MEASURES
