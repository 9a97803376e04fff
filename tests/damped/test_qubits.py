"""Phase and flux qubits: the paper's formulas, exact diagonalisation, gradients, the fit of a ring-down."""

import importlib.resources

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.constants import e, hbar

import jaxtls as jt
from jaxtls.cli.data import make_ring_down

K = hbar / (2 * e)
R, C, IC, L = 300.0, 0.8e-12, 1.2e-6, 2e-10


def test_the_papers_phase_qubit():
    q = jt.PhaseQubit(R, C, IC, 0.4e-6)
    wp = np.sqrt(IC / (K * C))
    assert_allclose([q.omega, q.offset_phase, q.damping], [wp, 1 / 3, 1 / (2 * R * C)], rtol=1e-9)
    t = np.array([0.0, 1e-10])
    want = hbar * wp * 2.5 * np.exp(-t / (R * C))
    assert_allclose(q.levels(t, 2) + K * (IC + 0.4e-6**2 / (2 * IC)), want, rtol=1e-6)
    # Eq. 44a: 4 R^2 C I_c = k
    critical = jt.PhaseQubit(q.critical_resistance, C, IC, 0.0)
    assert_allclose(4 * q.critical_resistance**2 * C * IC, K, rtol=1e-9)
    assert_allclose(critical.damping_ratio, 1, rtol=1e-12)
    assert np.isinf(critical.oscillator().period) or critical.oscillator().period > 1e-6


def test_the_papers_flux_qubit():
    q = jt.FluxQubit(R, C, IC, L, 0.15)
    w = np.sqrt(IC / (K * C) + 1 / (L * C))
    assert_allclose([q.omega, q.offset_phase], [w, 2 * np.pi * 0.15 / (1 + L * IC / K)], rtol=1e-9)
    assert_allclose(4 * q.critical_resistance**2 * (C * IC / K + C / L), 1, rtol=1e-9)
    # offset: the quadratic potential at its minimum
    phi = float(q.offset_phase)
    offset = -K * IC * (1 - phi**2 / 2) + K**2 * (phi - 2 * np.pi * 0.15) ** 2 / (2 * L)
    assert_allclose(q.levels(0.0, 0) - hbar * w / 2, offset, rtol=1e-9)


def test_the_factor_that_an_expansion_about_zero_misses():
    for ratio in (0.0, 0.5, -0.9, 0.999):
        zero, minimum = (jt.PhaseQubit(R, C, IC, ratio * IC, expand_about=about) for about in ("zero", "minimum"))
        assert_allclose(minimum.omega / zero.omega, (1 - ratio**2) ** 0.25, rtol=1e-9)
        assert_allclose(np.sin(minimum.offset_phase), ratio, rtol=1e-9)


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0, 30.0])
@pytest.mark.parametrize("flux", [-1.3, 0.0, 0.2, 0.499, 2.6])
def test_the_lowest_minimum_of_a_flux_qubit(beta, flux):
    q = jt.FluxQubit(R, C, IC, beta * K / IC, flux, expand_about="minimum")
    phi = float(q.offset_phase)
    assert_allclose(phi + beta * np.sin(phi), 2 * np.pi * flux, atol=1e-9)
    grid = np.linspace(2 * np.pi * flux - beta - 0.1, 2 * np.pi * flux + beta + 0.1, 40001)
    potential = lambda x: -np.cos(x) + (x - 2 * np.pi * flux) ** 2 / (2 * beta)
    assert potential(phi) <= potential(grid).min() + 1e-9
    assert q.omega > 0


def exact_levels(potential, mass, centre, n=3):
    """Lowest levels of -1/(2 mass) d^2 + potential on an even grid (Colbert & Miller), hbar = 1."""
    x = np.linspace(centre - 1.6, centre + 1.6, 401)
    h = x[1] - x[0]
    i = np.arange(len(x))
    d = (i[:, None] - i).astype(float)
    np.fill_diagonal(d, 1)
    kinetic = (-1.0) ** (i[:, None] - i) / d**2 / (mass * h**2)
    np.fill_diagonal(kinetic, np.pi**2 / (6 * mass * h**2))
    return np.linalg.eigvalsh(kinetic + np.diag(potential(x)))[:n]


@pytest.mark.slow
def test_the_quartic_term():
    """Levels against exact diagonalisation of the flux qubit's full potential; shifts fade as hbar^2 e^(-2t/RC)."""
    q = jt.FluxQubit(R, C, IC, L, 0.12, expand_about="minimum", quartic=True)
    energy, mass = K * IC / hbar, K**2 * C / hbar
    beta, applied = L * IC / K, 2 * np.pi * 0.12
    potential = lambda x: energy * (-np.cos(x) + (x - applied) ** 2 / (2 * beta))
    exact = exact_levels(potential, mass, float(q.offset_phase))
    found = np.asarray(q.levels(0.0, np.arange(3))) / hbar
    harmonic = np.asarray(jt.FluxQubit(R, C, IC, L, 0.12, expand_about="minimum").levels(0.0, np.arange(3))) / hbar
    assert np.max(np.abs(found - exact)) < 0.03 * np.max(np.abs(harmonic - exact))
    frequencies = q.transition_frequency(0.0, np.array([0, 1]))
    assert_allclose(frequencies, np.diff(found), rtol=1e-7)
    # Without bias the paper's expansion is the same to fourth order
    same = [
        jt.PhaseQubit(R, C, IC, 0.0, expand_about=about, quartic=True).levels(0.0, 1) for about in ("zero", "minimum")
    ]
    assert_allclose(*same, rtol=1e-12)
    soft = jt.PhaseQubit(R, C, IC, 0.0, quartic=True)
    shift = lambda t: float(jnp.diff(soft.transition_frequency(t, np.array([0, 1])))[0])
    assert_allclose(shift(0.0), -(e**2) / (2 * C) / hbar, rtol=1e-6)  # -E_C/hbar
    assert_allclose(shift(1e-10) / shift(0.0), np.exp(-2e-10 / (R * C)), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("about", ["zero", "minimum"])
def test_gradients_in_every_circuit_parameter(about):
    """Logarithmic derivatives of level, damping ratio and voltage against differences; forward = reverse."""

    def phase(p):
        r, c, i, b = p * jnp.array([R, C, IC, 0.4 * IC])
        return numbers(jt.PhaseQubit(r, c, i, b, expand_about=about, quartic=True), 1e-8)

    def flux(p):
        r, c, i, inductance, f = p * jnp.array([R, C, IC, L, 0.2])
        return numbers(jt.FluxQubit(r, c, i, inductance, f, expand_about=about, quartic=True), 0.01)

    def numbers(q, step):
        return jnp.stack([q.levels(1e-10, 1) / 1e-22, q.damping_ratio, q.ring_down(3e-11, step) / 1e-7, q.offset_phase])

    for f, size in ((phase, 4), (flux, 5)):
        f, at = jax.jit(f), jnp.ones(size)
        forward, reverse = jax.jacfwd(f)(at), jax.jacrev(f)(at)
        assert_allclose(forward, reverse, rtol=1e-8, atol=1e-10)
        for i in range(size):
            h = 1e-5 * jnp.eye(size)[i]
            assert_allclose(forward[:, i], (f(at + h) - f(at - h)) / 2e-5, rtol=1e-5, atol=1e-7)


def test_single_precision_of_si_units():
    with jax.enable_x64(False):
        q = jt.FluxQubit(R, C, IC, L, 0.15, expand_about="minimum", quartic=True)
        single = [q.levels(1e-10, 1), q.omega, q.transition_frequency(), q.ring_down(jnp.float32(1e-11), 0.01)]
        assert all(value.dtype == jnp.float32 for value in single)
        single = [float(value) for value in single]
    q = jt.FluxQubit(R, C, IC, L, 0.15, expand_about="minimum", quartic=True)
    double = [q.levels(1e-10, 1), q.omega, q.transition_frequency(), q.ring_down(1e-11, 0.01)]
    assert_allclose(single, [float(value) for value in double], rtol=2e-4)


def test_gradients_in_single_precision():
    """Squares of E_J, of 1e-22 J, are below the range of single precision."""

    def frequency(current):
        return jt.PhaseQubit(35.0, 1e-12, current, 0.0, quartic=True).transition_frequency() / 1e10

    with jax.enable_x64(False):
        single = [float(f(frequency)(jnp.float32(1e-6))) for f in (jax.grad, jax.jacfwd)]
    assert_allclose(single, (frequency(1.00001e-6) - frequency(0.99999e-6)) / 2e-11, rtol=1e-4)


@pytest.mark.usefixtures("unchecked")
def test_refusals():
    for about in ("zero", "minimum"):
        for bias in (IC, -1.01 * IC, 2 * IC):
            with pytest.raises(
                ValueError, match=f"`bias_current` must be below critical_current = .* got {bias}.*no min"
            ):
                jt.PhaseQubit(R, C, IC, bias, expand_about=about)
        with pytest.raises(ValueError, match="`bias_current` must be below"):
            jt.PhaseQubit(R, C, IC, 0.9 * IC, expand_about=about).ring_down(1e-10, 0.2 * IC)
    with pytest.raises(ValueError, match="`expand_about` must be one of"):
        jt.PhaseQubit(R, C, IC, 0.0, expand_about="origin")
    with pytest.raises(ValueError, match="`capacitance` must be finite and > 0"):
        jt.FluxQubit(R, -C, IC, L, 0.1)
    with pytest.raises(ValueError, match=r"`bias_current` must be a scalar.*vmap"):
        jt.PhaseQubit(R, C, IC, [0.0, 1e-7], expand_about="minimum")
    with pytest.raises(ValueError, match="`quartic` must be True or False"):
        jt.PhaseQubit(R, C, IC, quartic=2)


@pytest.mark.parametrize("about", ["zero", "minimum"])
def test_a_traced_bias_beyond_the_critical_current_gives_no_number(about):
    """Inside jit nothing can be raised: levels and frequency are NaN from I_c on, and right below."""

    @jax.jit
    def numbers(bias):
        qubit = jt.PhaseQubit(R, C, IC, bias, expand_about=about)
        return jnp.stack([qubit.omega, qubit.levels(0.0, 1), qubit.offset_phase])

    below = jt.PhaseQubit(R, C, IC, -0.7 * IC, expand_about=about)
    assert_allclose(numbers(-0.7 * IC), [below.omega, below.levels(0.0, 1), below.offset_phase], rtol=1e-12)
    assert np.isnan(numbers(1.2 * IC)).all() and np.isnan(numbers(-IC)).all()


# --- the bundled ring-down -------------------------------------------------------------------------------------------


class Experiment(eqx.Module):
    qubit: jt.PhaseQubit
    step: jax.Array
    time: jax.Array

    def voltage(self):
        return self.qubit.ring_down(self.time, self.step)


FREE = {f"qubit.{name}": jt.Positive() for name in make_ring_down.TRUTH}


def bundled():
    file = importlib.resources.files("jaxtls.cli").joinpath("data/ring_down.csv")
    with file.open() as lines:
        return np.loadtxt(lines, delimiter=",", skiprows=1).T


def start(time):
    return Experiment(jt.PhaseQubit(150.0, 1.5e-12, 2e-6, 0.0), jnp.asarray(make_ring_down.STEP), jnp.asarray(time))


def test_the_bundled_trace_is_what_its_script_makes():
    assert_allclose(bundled(), list(make_ring_down.make().values()), rtol=1e-5, atol=1e-14)


def test_circuit_parameters_from_the_ring_down():
    time, voltage, error = bundled()
    f = jt.fit(Experiment.voltage, start(time), voltage, sigma=error, free=FREE)
    assert f.success and 0.7 < float(f.reduced_chi2) < 1.3
    for name, true in make_ring_down.TRUTH.items():
        found, stderr = float(f.values[f"qubit.{name}"]), float(f.stderr[f"qubit.{name}"])
        assert abs(found - true) < 3.5 * stderr, name
        assert 0.001 < stderr / true < 0.01


def test_what_the_ring_down_cannot_say():
    """With the step unknown only RC and I_c/C are fixed."""
    time, voltage, error = bundled()
    f = jt.fit(Experiment.voltage, start(time), voltage, sigma=error, free={**FREE, "step": jt.Positive()})
    assert f.success and set(f.identifiability.unidentified) == {*FREE, "step"}
    q = f.model.qubit
    assert_allclose(q.resistance * q.capacitance, 2e-10, rtol=0.02)
    assert_allclose(q.critical_current / q.capacitance, 1.5e6, rtol=2e-3)
