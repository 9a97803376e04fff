"""Results: independence of batches and devices, keys, failures, kinds of leaves, what is refused."""

import concurrent.futures
import functools
import importlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

program_module = importlib.import_module("jaxtls.ensemble.program")


def draw(key):
    k1, k2 = jax.random.split(key)
    return {"x": jnp.cumsum(jax.random.normal(k1, (3,))), "y": jax.random.uniform(k2)}


def one_by_one(f, key, n):
    """Every realization by itself, without vmap."""
    values = jax.lax.map(lambda i: f(jax.random.fold_in(key, i)), jnp.arange(n, dtype=jnp.uint32))
    return jax.tree.map(np.asarray, values)


@pytest.mark.parametrize("is_typed", [True, False])
def test_is_the_average_over_folded_keys(is_typed):
    key = jax.random.key(7) if is_typed else jax.random.PRNGKey(7)
    want = one_by_one(draw, key, 70)
    sizes = ({"batch_size": 9, "devices": 1}, {"batch_size": 1, "devices": 1}, {"batch_size": 70})
    for options in sizes[: 3 if is_typed else 1]:
        r = jt.ensemble(draw, key, 70, **options)
        assert (r.count, r.failed, r.tried) == (70, 0, 70)
        for name in ("x", "y"):
            np.testing.assert_allclose(r.mean[name], want[name].mean(0), rtol=1e-12)
            np.testing.assert_allclose(r.std[name], want[name].std(0, ddof=1), rtol=1e-12)
            np.testing.assert_allclose(r.sem[name], want[name].std(0, ddof=1) / np.sqrt(70), rtol=1e-12)


def test_batches_and_devices_round_up_and_say_so():
    r = jt.ensemble(draw, jax.random.key(0), 21, batch_size=3, devices=jax.devices()[:2])
    assert r.count == 21 and r.batch_size == 4 and len(r.devices) == 2
    assert jt.ensemble(draw, jax.random.key(0), 21, batch_size=1000, devices=1).batch_size == 21
    auto = jt.ensemble(draw, jax.random.key(0), 1000)
    assert auto.batch_size % len(auto.devices) == 0 and auto.memory > 0


@pytest.mark.slow
def test_auto_takes_fewer_at_a_time_where_one_takes_more_memory():
    def heavy(key):
        return jnp.linalg.norm(jnp.sin(jax.random.normal(key, (400, 400))) @ jax.random.normal(key, (400, 400)))

    heavy, light = jt.ensemble(heavy, jax.random.key(0), 160), jt.ensemble(jax.random.normal, jax.random.key(0), 20_000)
    assert heavy.memory <= 2**26 and heavy.batch_size < light.batch_size
    assert light.batch_size == 2048 and light.count == 20_000


def test_one_realization_again():
    r = jt.ensemble(draw, jax.random.key(3), 20, batch_size=5)
    for i in (0, 7, 19, 2**32 - 1):
        want = draw(jax.random.fold_in(jax.random.key(3), jnp.uint32(i)))
        np.testing.assert_allclose(r.realization(i)["x"], want["x"], rtol=1e-13)
    for i in (-1, 2**32):
        with pytest.raises(ValueError, match="`i`"):
            r.realization(i)


def test_failures_are_listed_and_left_out():
    def f(key):
        u = jax.random.uniform(key, (2,))
        return jnp.where(u[0] < 0.2, jnp.array([jnp.nan, 1.0]), u), jnp.where(u[1] < 0.1, jnp.inf, u[1])

    key = jax.random.key(1)
    a, b = one_by_one(f, key, 150)
    bad = ~np.isfinite(a).all(1) | ~np.isfinite(b)
    r = jt.ensemble(f, key, 150, batch_size=16)
    assert r.failed_indices == tuple(np.flatnonzero(bad)) and r.failed == bad.sum() > 10
    assert r.count == 150 - r.failed
    np.testing.assert_allclose(r.mean[0], a[~bad].mean(0), rtol=1e-12)
    np.testing.assert_allclose(r.mean[1], b[~bad].mean(), rtol=1e-12)
    assert not np.isfinite(r.realization(r.failed_indices[0])[0]).all() or not np.isfinite(
        r.realization(r.failed_indices[0])[1]
    )
    assert str(r.failed_indices[0]) in repr(r) and "left out" in repr(r)


def test_all_failed_is_nan_not_zero():
    r = jt.ensemble(lambda key: jax.random.normal(key) * jnp.nan, jax.random.key(0), 40)
    assert (r.count, r.failed) == (0, 40) and np.isnan(r.mean) and np.isnan(r.sem)
    assert "0 realizations" in repr(r)


def test_leaves_of_every_kind():
    def f(key):
        x = jax.random.normal(key, (2,))
        return [
            x[0] + 1j * x[1],
            (x > 0, jnp.round(10 * x).astype(jnp.int32)),
            x.astype(jnp.float32),
            x.astype(jnp.bfloat16),
            jnp.zeros((0, 2)),
            3,
        ]

    r = jt.ensemble(f, jax.random.key(5), 90, batch_size=20)
    x = np.asarray(one_by_one(lambda key: jax.random.normal(key, (2,)), jax.random.key(5), 90))
    z = x[:, 0] + 1j * x[:, 1]
    assert r.mean[0].dtype == complex and r.sem[0].dtype == float
    np.testing.assert_allclose(r.mean[0], z.mean(), rtol=1e-12)
    np.testing.assert_allclose(r.std[0], z.std(ddof=1), rtol=1e-12)
    np.testing.assert_allclose(r.mean[1][0], (x > 0).mean(0), rtol=1e-12)
    np.testing.assert_allclose(r.mean[1][1], np.round(10 * x).mean(0), rtol=1e-12)
    assert r.mean[2].dtype == float  # sums are in double precision, whatever the values
    np.testing.assert_allclose(r.mean[2], x.mean(0), rtol=1e-6)
    np.testing.assert_allclose(r.mean[3], x.mean(0), atol=1e-2)
    assert r.mean[4].shape == (0, 2) and (r.mean[5], r.sem[5]) == (3, 0)
    repr(r)


def test_single_precision():
    with jax.enable_x64(False):
        r = jt.ensemble(draw, jax.random.key(2), 64, batch_size=8)
        want = one_by_one(draw, jax.random.key(2), 64)
        assert r.mean["x"].dtype == jnp.float32
        np.testing.assert_allclose(r.mean["x"], want["x"].mean(0, dtype=float), rtol=1e-6)


def test_modules_and_partials_are_functions_too():
    class Walk(eqx.Module):
        scale: jax.Array

        def __call__(self, key):
            return self.scale * jax.random.normal(key)

    bare = jt.ensemble(jax.random.normal, jax.random.key(0), 30)
    for f in (Walk(jnp.array(2.0)), functools.partial(lambda s, key: s * jax.random.normal(key), 2.0)):
        np.testing.assert_allclose(jt.ensemble(f, jax.random.key(0), 30).mean, 2 * bare.mean, rtol=1e-12)


def test_target_stops_at_the_same_realization_for_any_batch_and_device_count():
    runs = [
        jt.ensemble(draw, jax.random.key(0), 5000, batch_size=size, devices=count, target_error=0.1)
        for size, count in ((7, 1), (512, 2))
    ]
    assert len({r.count for r in runs}) == 1 and 64 <= runs[0].count < 1000
    for r in runs:
        assert r.target_reached and max(float(jnp.max(leaf)) for leaf in jax.tree.leaves(r.sem)) <= 0.1
        np.testing.assert_allclose(r.mean["x"], runs[0].mean["x"], rtol=1e-12)
    short = jt.ensemble(draw, jax.random.key(0), 100, target_error=1e-3)
    assert short.count == 100 and not short.target_reached and "NOT reached" in repr(short)


def test_no_batch_is_compiled_twice():
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, *_, **__: compiled.append(name) if "backend_compile" in name else None
    )

    def count(n, key, scale):
        compiled.clear()
        jt.ensemble(lambda key: scale * jax.random.normal(key, (4,)), key, n, batch_size=10)
        return len(compiled)

    count(10, jax.random.key(0), 2.0)
    one, many = count(20, jax.random.key(0), 3.0), count(300, jax.random.key(0), 4.0)
    assert many == one > 0
    assert count(200, jax.random.key(9), 4.0) == 0  # the same function with another key and n


def test_progress_bar_ends_full(capsys):
    jt.ensemble(draw, jax.random.key(0), 50, batch_size=10, progress=True, target_error=1e-9)
    shown = capsys.readouterr().err
    assert "realizations" in shown and "/50" in shown


BAD = {
    "key": [dict(key=0), dict(key=jax.random.split(jax.random.key(0), 3)), dict(key=jnp.zeros(3))],
    "n": [dict(n=0), dict(n=2**33)],
    "batch_size": [dict(batch_size=0), dict(batch_size="large")],
    "devices": [dict(devices=0), dict(devices=99), dict(devices=[]), dict(devices=["cpu"])],
    "target_error": [dict(target_error=x) for x in (0.0, -1.0, np.nan, np.inf, "small", [0.1, 0.2])],
    "realization": [
        dict(realization=lambda key: {}),
        dict(realization=lambda key: {"k": key}),
    ],
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name,options", [(name, bad) for name, all_bad in BAD.items() for bad in all_bad])
def test_bad_arguments_are_named(name, options):
    good = {"realization": draw, "key": jax.random.key(0), "n": 10}
    with pytest.raises(ValueError, match=f"`{name}`"):
        jt.ensemble(**good | options)


@pytest.mark.parametrize("generator", ["rbg", "unsafe_rbg"])
def test_generators_that_draw_otherwise_in_a_batch_are_refused(generator):
    key = jax.random.key(0, impl=generator)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(4))
    together = jax.vmap(jax.random.uniform)(keys)
    assert not np.array_equal(together, [jax.random.uniform(k) for k in keys])  # the fault that this is about
    with pytest.raises(ValueError, match="`key` must draw a realization the same in any batch"):
        jt.ensemble(draw, key, 10)


def test_traced_use_is_refused():
    key = jax.random.key(0)
    for call in (
        lambda: jax.jit(lambda k: jt.ensemble(draw, k, 10).mean)(key),
        lambda: jax.jit(lambda x: x * jt.ensemble(draw, key, 10).mean["y"])(1.0),
        lambda: jax.grad(lambda s: jt.ensemble(lambda k: s * jax.random.normal(k), key, 10).mean)(1.0),
        lambda: jax.vmap(lambda s: jt.ensemble(lambda k: s * jax.random.normal(k), key, 10).mean)(jnp.ones(2)),
    ):
        with pytest.raises(ValueError, match="outside jit"):
            call()


def test_the_name_is_the_function_whatever_is_imported():
    import jaxtls.ensemble

    importlib.import_module("jaxtls.ensemble.store")
    from jaxtls.ensemble.statistics import Moments  # noqa: F401

    assert callable(jaxtls.ensemble) and jaxtls.ensemble is jt.ensemble


def test_threads_share_the_compiled_batches(monkeypatch):
    """Three programs of which one is kept, from several threads: each finds its own, and no more than one stays."""
    monkeypatch.setattr(program_module, "KEPT", 1)
    monkeypatch.setattr(program_module, "_kept", {})

    def mean(i):
        r = jt.ensemble(lambda key: jnp.full((), i % 3, float), jax.random.key(0), 4, batch_size=4, devices=1)
        return float(r.mean)

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        assert list(threads.map(mean, range(12))) == [float(i % 3) for i in range(12)]
    assert len(program_module._kept) == 1
