"""What must hold without an oracle: sum rules, symmetries, the closed limit, digits, gradients, chunks, bad input."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt
from jaxtls.models.glass import pairs
from jaxtls.numerics import decays


def sample(n=7, **options):
    """One glass and one product state, always the same."""
    return jt.TLSGlass.sample(jax.random.key(3), n, **options), jt.random_bloch_vectors(jax.random.key(4), n)


TS = jnp.array([0.0, 3e-4, 2e-3, 0.05])


@pytest.mark.slow
def test_sum_rules():
    glass, bloch = sample(occupation=0.2)
    rho = np.asarray(glass.pair_density_matrices(bloch, TS))
    np.testing.assert_allclose(np.trace(rho, axis1=-2, axis2=-1), 1, atol=1e-13)
    np.testing.assert_allclose(rho, rho.conj().swapaxes(-1, -2), atol=1e-16)
    assert np.linalg.eigvalsh(rho).min() > -1e-14
    vectors = np.asarray(glass.bloch_vectors(bloch, TS))
    for k, (i, j) in enumerate(glass.pairs):
        for site, keep in ((i, 0), (j, 1)):
            single = np.asarray(jt.partial_trace(rho[:, k], (2, 2), keep))
            np.testing.assert_allclose(2 * single[:, 0, 1], vectors[:, site, 0] - 1j * vectors[:, site, 1], atol=1e-13)
            np.testing.assert_allclose((single[:, 0, 0] - single[:, 1, 1]).real, vectors[:, site, 2], atol=1e-13)
    big = glass.reduced_density_matrix(bloch, TS[2], (5, 1, 3, 0))
    k = glass.pairs.tolist().index([1, 5])
    np.testing.assert_allclose(jt.partial_trace(big, (2,) * 4, (1, 0)), rho[2, k], atol=1e-13)


@pytest.mark.slow
def test_permuting_the_sites_permutes_the_answers():
    glass, bloch = sample(occupation=0.1)
    order = np.random.default_rng(0).permutation(7)
    J = np.asarray(glass.couplings)[np.ix_(order, order)]
    other = jt.TLSGlass(
        glass.frequencies[order], J, glass.rates[order], 0.1, positions=glass.positions[order], box=glass.box
    )
    np.testing.assert_allclose(other.concurrence(bloch[order], TS), glass.concurrence(bloch, TS), atol=1e-12)
    np.testing.assert_allclose(
        other.half_system_entropy(bloch[order], TS), glass.half_system_entropy(bloch, TS), atol=1e-10
    )


@pytest.mark.slow
def test_closed_glass_is_a_state_vector():
    n, t = 6, 2e-3
    glass, bloch = sample(n, dissipation=0.0)
    nu, J = np.asarray(glass.frequencies), np.asarray(glass.couplings)
    s = 1 - 2 * ((np.arange(2**n) >> np.arange(n - 1, -1, -1)[:, None]) & 1)
    energy = -nu @ s / 2 + np.einsum("ia,ij,ja->a", s, J, s)
    theta, phase = np.arccos(bloch[:, 2]), np.arctan2(bloch[:, 1], bloch[:, 0])
    psi = np.ones(1)
    for a, b in zip(theta, phase):
        psi = np.kron(psi, [np.cos(a / 2), np.sin(a / 2) * np.exp(1j * b)])
    psi = psi * np.exp(-1j * energy * t)
    distance = np.asarray(glass.positions)[:, None] - np.asarray(glass.positions)
    distance = np.linalg.norm(distance - glass.box * np.round(distance / glass.box), axis=-1)
    entropies = []
    for bubble in np.argsort(distance, axis=1)[:, : n // 2]:
        rest = [k for k in range(n) if k not in bubble]
        m = psi.reshape((2,) * n).transpose(*bubble, *rest).reshape(2 ** (n // 2), -1)
        p = np.linalg.svd(m, compute_uv=False) ** 2
        entropies.append(-np.sum(p * np.log(p)))
    np.testing.assert_allclose(glass.half_system_entropy(bloch, jnp.array([t]))[0], np.mean(entropies), atol=1e-11)
    np.testing.assert_allclose(glass.reduced_density_matrix(bloch, t, range(n)), np.outer(psi, psi.conj()), atol=1e-12)


@pytest.mark.slow
def test_cold_path_is_the_limit_of_the_general_one():
    glass, bloch = sample(9)
    general = jax.jit(lambda f: dataclasses.replace(glass, occupation=f).concurrence(bloch, TS))
    cold = glass.concurrence(bloch, TS)
    np.testing.assert_allclose(general(0.0), cold, atol=1e-13)
    assert np.max(np.abs(general(0.1) - cold)) > 1e-3


@pytest.mark.slow
def test_small_populations_keep_their_digits():
    """Excited TLSs decay by e^-100: the pair stays a valid state, with relative accuracy and no entanglement."""
    J = 3.0 * (np.ones((4, 4)) - np.eye(4))
    bloch = jnp.asarray([[0.6, 0.0, -0.8]] * 4)
    ts = jnp.array([1.0, 5.0, 25.0])
    for f in (0.0, 1e-12):
        glass = jt.TLSGlass(np.ones(4), J, np.ones(4), f)
        rho = np.asarray(glass.pair_density_matrices(bloch, ts))
        if f == 0:
            np.testing.assert_allclose(rho[:, 0, 3, 3].real, 0.81 * np.exp(-8 * ts), rtol=1e-13)
        d = np.sqrt(np.einsum("...ii->...i", rho.real))
        assert np.all(np.abs(rho) <= d[..., :, None] * d[..., None, :] * (1 + 1e-12))
        np.testing.assert_array_equal(glass.concurrence(bloch, ts[1:]), 0.0)


def test_large_phases():
    """|phi t| ~ 1e7: compared with the same formula in NumPy's long double."""
    if np.finfo(np.longdouble).eps > 1e-18:
        pytest.skip("no extended precision on this machine")
    J = np.array([[0, 7.0, 3.0], [7.0, 0, 5.0], [3.0, 5.0, 0]]) * 2**10
    bloch, t = np.array([[1.0, 0, 0], [0.6, 0, 0.8], [0, 0.8, -0.6]]), 1024.0
    vectors = jt.TLSGlass(np.zeros(3), J, np.zeros(3)).bloch_vectors(bloch, jnp.array([t]))[0]
    for i in range(3):
        want = np.longdouble(bloch[i, 0]) - 1j * np.longdouble(bloch[i, 1])
        for k in range(3):
            if k != i:
                angle = np.longdouble(4 * J[i, k]) * np.longdouble(t)
                want = want * (np.cos(angle) - 1j * np.longdouble(bloch[k, 2]) * np.sin(angle))
        np.testing.assert_allclose(vectors[i, 0] - 1j * vectors[i, 1], complex(want), atol=1e-12)


def test_exponentials():
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.uniform(-10, 10, 1000), rng.uniform(-1e5, 1e5, 1000), np.arange(-8, 9) * np.pi / 4])
    turned = decays.decay(-1j * jnp.asarray(y))
    np.testing.assert_allclose(turned.real, np.cos(y), atol=4e-16)
    np.testing.assert_allclose(turned.imag, np.sin(y), atol=4e-16)
    z = (
        rng.uniform(0, 2, 500)
        * np.exp(1j * rng.uniform(-np.pi / 2, np.pi / 2, 500))
        * 10.0 ** rng.integers(-12, 2, 500)
    )
    x = np.concatenate([rng.uniform(0, 708, 1000), 10.0 ** rng.uniform(-20, 2, 1000), [0.0, -1e-13]])
    np.testing.assert_allclose(decays.exp_of_negative(jnp.asarray(x)), np.exp(-x), rtol=3e-16)
    edges = decays.exp_of_negative(jnp.array([709.0, 1e300, np.inf, np.nan]))
    np.testing.assert_array_equal(edges, [0.0, 0.0, 0.0, np.nan])
    decayed = decays.decay(jnp.asarray(z))
    np.testing.assert_allclose(decayed, np.exp(-z), atol=1e-15)
    want = np.where(np.abs(z) < 1e-4, 1 - z / 2 + z**2 / 6, -(np.exp(-z) - 1) / z)
    np.testing.assert_allclose(decays.mean_decay(jnp.asarray(z), decayed), want, atol=1e-11)
    assert jax.grad(lambda x: decays.mean_decay(x + 0j, decays.decay(x + 0j)).real)(0.0) == -0.5


@pytest.mark.parametrize("cold", [pytest.param(True, marks=pytest.mark.slow), False])
def test_products_and_their_derivatives(cold):
    """Against a plain product: derivatives in rates, amplitudes and times, a zero among the first's factors."""
    rng = np.random.default_rng(5)
    n, ts = 5, jnp.asarray([0.3, 0.8, 1.7])
    loss, phase, amplitude = rng.uniform(0, 1, n), rng.normal(size=(n, n)), rng.normal(size=(2, n, 2, n))
    amplitude = amplitude[0] + 1j * amplitude[1]
    rows = np.array([1, 3])
    plus = jnp.asarray(rows[:, None] < np.arange(n))
    if not cold:  # 1 + a (e^{-2wt} - 1) = 0
        loss, amplitude[2, 0, 4] = np.where(np.arange(n) == 2, 1e4, loss), 1.0

    def arguments(loss, amplitude, ts):
        w = loss[:, None, None] - 1j * (phase[:, rows][:, :, None] + jnp.where(plus, 1, -1) * phase[:, None])
        table = jnp.exp(-2 * (loss[:, None, None] / 2 - 1j * phase[:, :, None]) * ts)
        return w, amplitude, ts, (table[:, rows], table) if cold else (), plus

    def plain(*x):
        w, amplitude, ts = arguments(*x)[:3]
        return jnp.prod(1 + amplitude[..., None] * (jnp.exp(-2 * w[..., None] * ts) - 1), axis=0)

    x = (jnp.asarray(loss), jnp.asarray(amplitude), ts)
    along = tuple(jnp.asarray(rng.normal(size=v.shape)).astype(v.dtype) for v in x)
    fast = lambda *x: pairs._product(*arguments(*x))
    for got, want in zip(jax.jvp(fast, x, along), jax.jvp(plain, x, along)):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13)
    ct = jnp.asarray(rng.normal(size=want.shape) + 1j * rng.normal(size=want.shape))
    for got, want in zip(jax.vjp(fast, *x)[1](ct), jax.vjp(plain, *x)[1](ct)):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)
    if not cold:
        x = (jnp.asarray(rng.uniform(0, 1, n)), x[1], ts)
    slope = lambda f: lambda *x: jax.vjp(f, *x)[1](ct)
    for got, want in zip(jax.jvp(slope(fast), x, along)[1], jax.jvp(slope(plain), x, along)[1]):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("hot", [False, True])
def test_gradients_against_differences(hot):
    bloch = jt.random_bloch_vectors(jax.random.key(4), 5)
    ts = jnp.array([4e-4, 3e-3])
    key = jax.random.key(3)

    def by(x):
        temperature = {"temperature": 0.8 * x[3]} if hot else {}
        model = jt.TLSGlass.sample(
            key, 5, tunnelling=0.1 * x[0], compression=1e3 * x[1], dissipation=x[2], **temperature
        )
        return model.concurrence(bloch, ts)

    x = jnp.ones(3 + hot)
    forward, backward = jax.jit(jax.jacfwd(by))(x), jax.jit(jax.jacrev(by))(x)
    np.testing.assert_allclose(forward, backward, rtol=1e-9, atol=1e-12)
    run = jax.jit(by)
    for k, h in enumerate(1e-5 * jnp.eye(len(x))):
        assert np.any(np.abs(backward[:, k]) > 1e-4)
        np.testing.assert_allclose(backward[:, k], (run(x + h) - run(x - h)) / 2e-5, rtol=2e-5, atol=1e-8)


@pytest.mark.slow
def test_gradients_are_finite_at_the_edges():
    """Zero and equal rates, zero couplings, poles, occupation zero, t = 0; and right where a coupling passes zero."""
    bloch = jnp.asarray([[0, 0, 1.0], [0, 0, -1.0], [1.0, 0, 0], [0.6, 0, 0.8]])
    J = np.zeros((4, 4))
    J[2, 3] = J[3, 2] = 2.0

    def c(J, Y, f, eps):
        glass = jt.TLSGlass(np.ones(4), J, Y, f, eps)
        return (
            glass.concurrence(bloch, jnp.array([0.0, 0.3])).sum() + glass.bloch_vectors(bloch, jnp.array([0.3])).sum()
        )

    gradient = jax.jit(jax.grad(c, argnums=(0, 1, 2, 3)))
    for Y in (np.zeros(4), np.full(4, 0.1), np.array([0.0, 0.1, 0.1, 0.0])):
        found = gradient(jnp.asarray(J), jnp.asarray(Y), 0.0, 1.0)
        assert all(bool(jnp.all(jnp.isfinite(g))) for g in found)
    step = np.zeros((4, 4))
    step[1, 2] = step[2, 1] = 1e-5
    slope = (c(J + step, Y, 0.0, 1.0) - c(J - step, Y, 0.0, 1.0)) / 2e-5
    np.testing.assert_allclose(found[0][1, 2] + found[0][2, 1], slope, rtol=1e-6)


@pytest.mark.slow
def test_entropy_has_a_gradient():
    glass, bloch = sample(4)
    ts = jnp.array([1e-3])
    f = jax.jit(lambda eps: dataclasses.replace(glass, dissipation=eps).half_system_entropy(bloch, ts)[0])
    np.testing.assert_allclose(jax.jit(jax.grad(f))(1.0), (f(1 + 1e-5) - f(1 - 1e-5)) / 2e-5, rtol=1e-5)


@pytest.mark.slow
def test_chunks_and_batches_change_nothing(monkeypatch):
    glass, bloch = sample(7)
    ts = jnp.linspace(0, 5e-3, 11)
    whole = glass.concurrence(bloch, ts)
    keys = jax.random.split(jax.random.key(0), 3)
    one = lambda k: jt.TLSGlass.sample(k, 7).concurrence(jt.random_bloch_vectors(k, 7), ts)
    together, apart = jax.jit(jax.vmap(one))(keys), [one(k) for k in keys]
    np.testing.assert_allclose(together, jnp.stack(apart), atol=1e-13)
    for name, value in (("_TABLE", 200), ("_LEAST_TIMES", 1), ("_BLOCK", 100)):
        monkeypatch.setattr(pairs, name, value)
    jax.clear_caches()
    np.testing.assert_allclose(glass.concurrence(bloch, ts), whole, atol=1e-14)


@pytest.mark.slow
def test_single_precision():
    glass, bloch = sample(6)
    to = lambda tree: jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), tree)
    small = to(glass)
    found = small.concurrence(to(bloch), to(TS))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, glass.concurrence(bloch, TS), atol=2e-4)


def test_bad_input_is_named():
    good = {"frequencies": [1.0, 2.0], "couplings": [[0, 1.0], [1.0, 0]], "rates": [0.1, 0.2]}
    bad = {
        "frequencies": [1.0],
        "couplings": [[0, 1.0], [2.0, 0]],
        "rates": [-0.1, 0.2],
        "occupation": [0.1, 0.2, 0.3],
        "dissipation": -1.0,
        "positions": np.zeros((3, 3)),
        "box": 0.0,
    }
    for name, value in bad.items():
        with pytest.raises(ValueError, match=f"`{name}`"):
            jt.TLSGlass(**{**good, name: value})
    glass, bloch = jt.TLSGlass(**good), jnp.array([[0, 0, 1.0], [1.0, 0, 0]])
    for call, name in (
        (lambda: glass.concurrence(bloch[:1], TS), "bloch"),
        (lambda: glass.concurrence(2 * bloch, TS), "bloch"),
        (lambda: glass.concurrence(bloch, -TS), "ts"),
        (lambda: glass.concurrence(bloch, 1.0), "ts"),
        (lambda: glass.reduced_density_matrix(bloch, 1.0, (0, 0)), "sites"),
        (lambda: glass.reduced_density_matrix(bloch, TS, (0, 1)), "t"),
        (lambda: glass.lindbladian(flip_flop=np.ones(2)), "flip_flop"),
        (lambda: sample(11)[0].lindbladian(), "n_tls"),
        (lambda: sample(28)[0].half_system_entropy(sample(28)[1], TS), "n_tls"),
        (lambda: sample(7)[0].lindbladian().matrix(), "n"),
        (lambda: sample(3, temperature=1.0, occupation=1.0), "occupation"),
        (lambda: sample(3, compression=-1.0), "compression"),
        (lambda: sample(1), "n_tls"),
    ):
        with pytest.raises(ValueError, match=f"`{name}`"):
            call()
