"""Numbers of time: samples and splines, other libraries' coefficients, and what is said of those that will not do."""

import math
import warnings

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.interpolate
import scipy.special
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.lindblad.envelopes import PiecewisePolynomial

SX, SZ, SM = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]])
UP = np.array([1.0, 0.0])
TS = np.linspace(0.0, 3.0, 31)
TIGHT = {"rtol": 1e-9, "atol": 1e-11}


@pytest.mark.parametrize("count", [2, 3, 4, *(pytest.param(n, marks=pytest.mark.slow) for n in (5, 40))])
def test_the_spline_is_scipys(count):
    rng = np.random.default_rng(count)
    times = np.sort(rng.uniform(-1.0, 4.0, count))
    values = rng.normal(size=count) + 1j * rng.normal(size=count)
    found = PiecewisePolynomial.through(times, values)
    want = scipy.interpolate.make_interp_spline(times, values, k=min(3, count - 1))
    inside = np.concatenate([rng.uniform(times[0], times[-1], 50), times])
    assert_allclose(jax.vmap(found)(inside), want(inside), atol=1e-9)
    # Held beyond both ends.
    assert_allclose([found(times[0] - 1.0), found(times[-1] + 1.0)], values[[0, -1]], atol=1e-12)
    lines = PiecewisePolynomial.through(times, values, order=1)
    assert_allclose(jax.vmap(lines)(inside), np.interp(inside, times, values), atol=1e-12)


@pytest.mark.slow
def test_a_spline_is_differentiated_by_samples_and_times():
    times, values = jnp.array([0.0, 0.4, 1.1, 1.5, 2.0]), jnp.array([0.3, 1.0, 0.2, -0.5, 0.1])
    f = lambda x: PiecewisePolynomial.through(times + x * times**2, values + x * jnp.cos(times))(0.8)
    slope, step = jax.grad(f)(0.0), 1e-6
    assert_allclose(slope, (f(step) - f(-step)) / (2 * step), rtol=1e-6)
    assert_allclose(jax.jit(jax.vmap(jax.jacfwd(f)))(jnp.zeros(2)), [slope, slope], rtol=1e-10)


@pytest.mark.slow
def test_samples_drive_as_their_function_does():
    want = jt.mesolve(jt.modulated(jnp.cos, SX) + SZ, [SM], UP, TS, **TIGHT).states
    many = np.linspace(0.0, 3.0, 200)
    found = jt.mesolve(jt.sampled(many, np.cos(many), SX) + SZ, [SM], UP, TS, **TIGHT).states
    assert_allclose(found, want, atol=1e-7)
    # QuTiP's list form, samples at the output times; also for jumps, kets and trajectories.
    listed = jt.mesolve([SZ, [SX, np.cos(TS)]], [SM], UP, TS, **TIGHT).states
    assert_allclose(listed, want, atol=2e-6)
    psi = jt.sesolve([SZ, [SX, np.cos(TS)]], UP, TS, **TIGHT).states
    assert_allclose(psi, jt.sesolve(jt.modulated(jnp.cos, SX) + SZ, UP, TS, **TIGHT).states, atol=2e-6)
    decay = jt.mesolve(0 * SZ, [[SM, np.sqrt(1 + TS)]], UP, TS, [SZ], **TIGHT).expects[0].real
    assert_allclose(decay, 2 * np.exp(-TS - TS**2 / 2) - 1, atol=2e-6)
    one = jt.trajectories([SZ, [SX, np.cos(TS)]], [], UP, TS, 1, jax.random.key(0), [SZ], rtol=1e-8, atol=1e-10)
    assert_allclose(one.mean[0], np.einsum("ti,ij,tj->t", psi.conj(), SZ, psi), atol=1e-6)


@pytest.mark.parametrize("kind", [pytest.param("lines", marks=pytest.mark.slow), "cubic"])
def test_diffrax_interpolations(kind):
    values = jnp.sin(2 * TS)
    if kind == "lines":
        path, want = diffrax.LinearInterpolation(TS, values), jt.sampled(TS, values, SX, order=1)
    else:
        rows = diffrax.backward_hermite_coefficients(jnp.asarray(TS), values[:, None])
        path = diffrax.CubicInterpolation(jnp.asarray(TS), tuple(row[:, 0] for row in rows))
        want = jt.modulated(lambda t: path.evaluate(t), SX)
    for h in (jt.modulated(path, SX), [(SX, path)], (SX, path)):
        assert_allclose(
            jt.mesolve(h, [], UP, TS, **TIGHT).states, jt.mesolve(want, [], UP, TS, **TIGHT).states, atol=1e-8
        )


def qutip_states(h, c_ops=(), **options):
    qutip = pytest.importorskip("qutip")
    found = qutip.mesolve(
        h, qutip.Qobj(UP[:, None]), TS, list(c_ops), options={"rtol": 1e-10, "atol": 1e-12, **options}
    )
    return np.array([s.full() if s.isoper else (s @ s.dag()).full() for s in found.states])


@pytest.mark.slow
def test_a_qobjevo_of_many_parts():
    qutip = pytest.importorskip("qutip")
    x, y, z, lower = qutip.sigmax(), qutip.sigmay(), qutip.sigmaz(), qutip.Qobj(SM)
    bent = qutip.coefficient(lambda t, w: np.cos(w * t), args={"w": 2.0})
    samples = qutip.coefficient(np.sin(TS), tlist=TS)
    lines = qutip.coefficient(np.cos(3 * TS), tlist=TS, order=1)
    steps = qutip.coefficient(np.where(TS < 1.0, 0.3, -0.5), tlist=TS, order=0)
    whole = qutip.QobjEvo([z, [x, bent], [y, samples], [x, lines], [z, steps], [y, bent * samples]])
    whole = whole + qutip.QobjEvo([x, bent.conj()]) * 0.5 + qutip.QobjEvo([z, qutip.coefficient(0.2)])
    decay = qutip.QobjEvo([lower, qutip.coefficient(lambda t: np.sqrt(0.1 + t))])
    want = qutip_states(whole, [decay], max_step=0.01)
    found = jt.mesolve(whole, [decay], qutip.Qobj(UP[:, None]), TS, **TIGHT)
    assert_allclose(found.states, want, atol=2e-7)
    # The same object compiles nothing anew.
    jt.Lindbladian(whole, [decay])
    assert_allclose(jt.mesolve(whole, [decay], UP, TS, [whole], **TIGHT).expects.shape, (1, len(TS)))
    # QuTiP's own spelling of what stands alone: [operator, coefficient].
    alone = qutip_states([[z, bent], [x, np.cos(TS)]], [[lower, bent]])
    assert_allclose(jt.mesolve([[z, bent], [x, np.cos(TS)]], [[lower, bent]], UP, TS, **TIGHT).states, alone, atol=2e-7)


def test_texts_are_refused_with_what_to_write():
    qutip = pytest.importorskip("qutip")
    with pytest.raises(ValueError, match=r"`hamiltonian\[1\]` .*text 'cos\(t\)'.*lambda t: jnp\.cos"):
        jt.mesolve([SZ, [SX, "cos(t)"]], [], UP, TS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # QuTiP's, of what it lacks to compile texts
        texts = qutip.QobjEvo([qutip.sigmaz(), [qutip.sigmax(), "cos(w*t)"]], args={"w": 1.0})
    with pytest.raises(ValueError, match=r"`hamiltonian\[\d\]` .*text.*jnp\.cos"):
        jt.mesolve(texts, [], UP, TS)


@pytest.mark.slow
def test_functions_written_with_numpy():
    f = lambda t: (
        np.where(t < 1.0, np.exp(1j * t).real, 0.3) * np.sqrt(1 + t**2) - np.abs(np.sin(2 * t)) / np.maximum(t, 1)
    )
    g = lambda t: jnp.where(t < 1.0, jnp.cos(t), 0.3) * jnp.sqrt(1 + t**2) - jnp.abs(jnp.sin(2 * t)) / jnp.maximum(t, 1)
    for t in (0.3, 0.9, 2.5):
        assert_allclose(jt.modulated(f, SX)(t), g(t) * SX, atol=1e-14)
    bell = lambda t: scipy.special.erf(t - 1.0)
    assert_allclose(jt.modulated(bell, SX)(1.7), scipy.special.erf(0.7) * SX, atol=1e-12)
    want = jt.mesolve([SZ, (SX, g)], [SM], UP, TS, **TIGHT).states
    assert_allclose(jt.mesolve([SZ, (SX, f)], [SM], UP, TS, **TIGHT).states, want, atol=1e-8)
    assert_allclose(jt.mesolve(lambda t: SZ + f(t) * SX, [SM], UP, TS, **TIGHT).states, want, atol=1e-8)
    end = lambda a: jt.mesolve([SZ, (SX, lambda t: np.cos(a * t))], [SM], UP, TS, [SZ], **TIGHT).expects[0, -1].real
    assert_allclose(jax.grad(end)(0.7), (end(0.7 + 1e-5) - end(0.7 - 1e-5)) / 2e-5, rtol=1e-5)


def stepped(t):
    return 1.0 if t > 1.0 else 0.0


@pytest.mark.parametrize(
    "f", [math.cos, lambda t: np.sin(t) + math.cos(t), stepped, lambda t: complex(t), lambda t: float(t)]
)
def test_functions_that_jax_cannot_trace_are_refused_with_jnp(f):
    told = pytest.raises(
        ValueError, match=r"`(envelope|hamiltonian.*|jump_ops\[0\]|exp_ops\[0\])` must .* trace.*jnp\.cos"
    )
    for call in (
        lambda: jt.modulated(f, SX),
        lambda: jt.mesolve([SZ, (SX, f)], [], UP, TS),
        lambda: jt.mesolve(lambda t: f(t) * SX, [], UP, TS),
        lambda: jt.mesolve(SZ, [lambda t: f(t) * SM], UP, TS),
        lambda: jt.mesolve(SZ, [[SM, f]], UP, TS),
        lambda: jt.sesolve(SZ, UP, TS, [lambda t: f(t) * SX]),
        lambda: jax.jit(lambda a: jt.sesolve([SZ, (SX, lambda t: a * f(t))], UP, TS).states)(1.0),
    ):
        with told:
            call()


@pytest.mark.parametrize(
    ("h", "told"),
    [
        ([SZ, (SX, lambda t, args: args["w"])], r"`hamiltonian\[1\]` .*time alone.*lambda t: f\(t, args\)"),
        ([SZ, (SX, lambda t, *, w: w * t)], r"`hamiltonian\[1\]` .*lambda t: f\(t, w=w\)"),
        ([SZ, (SX, lambda t: jnp.ones(3) * t)], r"`hamiltonian\[1\]` must return a number"),
        ([SZ, (SX, np.ones(5))], r"`hamiltonian\[1\]` must have 31 samples.*jt\.sampled"),
        ([SZ, (SX, None)], "`hamiltonian`"),
        (lambda t: t, r"`hamiltonian` must return an array of shape \(n, n\)"),
    ],
)
def test_wrong_coefficients_are_named(h, told):
    with pytest.raises(ValueError, match=told):
        jt.mesolve(h, [], UP, TS)


def test_samples_without_times_are_refused():
    with pytest.raises(ValueError, match=r"`hamiltonian\[1\]` .*jt\.sampled"):
        jt.Lindbladian([SZ, (SX, np.ones(5))], [])
    with pytest.raises(ValueError, match=r"`envelope` .*array of shape \(5,\).*jt\.sampled"):
        jt.modulated(np.ones(5), SX)
    for name, call in (
        ("times", lambda: jt.sampled([0.0, 0.0], [1.0, 2.0], SX)),
        ("times", lambda: jt.sampled([0.0], [1.0], SX)),
        ("values", lambda: jt.sampled([0.0, 1.0], [1.0], SX)),
        ("values", lambda: jt.sampled([0.0, 1.0], [1.0, np.nan], SX)),
        ("order", lambda: jt.sampled([0.0, 1.0], [1.0, 2.0], SX, order=2)),
    ):
        with pytest.raises(ValueError, match=f"`{name}`"):
            call()


@pytest.mark.slow
def test_a_function_beside_an_operator_is_one_where_it_gives_a_matrix():
    both = jt.mesolve([SZ, lambda t: jnp.cos(t) * SX], [], UP, TS, **TIGHT).states
    pair = jt.mesolve([[SZ, 1.0], (SX, jnp.cos)], [], UP, TS, **TIGHT).states
    assert_allclose(both, pair, atol=1e-8)
    factor = jt.mesolve([SX, jnp.cos], [], UP, TS, **TIGHT).states
    assert_allclose(factor[:, 1, 1], np.sin(np.sin(TS)) ** 2, atol=1e-8)
