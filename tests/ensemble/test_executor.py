"""Parts through executors: which are run, what is taken back, whose errors are whose."""

import concurrent.futures
import dataclasses
import errno
import importlib
import multiprocessing
import pickle

import jax
import jax.numpy as jnp
import pytest

import jaxtls as jt

from .jobs import exact
from .same import same

KEY = jax.random.key(7)
executor_module = importlib.import_module("jaxtls.ensemble.executor")
store_module = importlib.import_module("jaxtls.ensemble.store")
run_module = importlib.import_module("jaxtls.ensemble.run")


class Here(concurrent.futures.Executor):
    """Does at once what it is given, as another process would: the function comes and goes by pickle."""

    def __init__(self, pickled=False):
        self.parts, self.pickled = [], pickled

    def submit(self, fn, /, k, *args):
        self.parts.append(k)
        future = concurrent.futures.Future()
        try:
            future.set_result((pickle.loads(pickle.dumps(fn)) if self.pickled else fn)(k, *args))
        except Exception as error:
            future.set_exception(error)
        return future


class Later(concurrent.futures.Executor):
    """Does things when it is asked to, in an order of its own."""

    def __init__(self):
        self.waiting = []

    def submit(self, fn, /, *args):
        self.waiting.append((concurrent.futures.Future(), fn, args))
        return self.waiting[-1][0]

    def work(self, i):
        future, fn, args = self.waiting.pop(i)
        if future.set_running_or_notify_cancel():
            future.set_result(fn(*args))


def ensemble(store, executor, f=exact, n=90, parts=6, **options):
    options = {"batch_size": 10, **options}
    return jt.ensemble(f, KEY, n, store=store, executor=executor, parts=parts, **options)


@pytest.fixture(scope="module")
def whole():
    return jt.ensemble(exact, KEY, 90, batch_size=10)


def test_is_the_single_run_and_goes_on_from_any_parts(tmp_path, whole):
    jt.ensemble(exact, KEY, 90, batch_size=10, store=tmp_path / "s", part=(2, 6))
    here, seen = Here(pickled=True), []
    r = ensemble(tmp_path / "s", here, progress=lambda done, total: seen.append((done, total)))
    same(r, whole)
    assert here.parts == [0, 1, 3, 4, 5] and [done for done, _ in seen] == [15, 30, 45, 60, 75, 90]
    assert {total for _, total in seen} == {90}
    assert (r.batch_size, r.devices, r.store, r.n) == (0, (), tmp_path / "s", 90)
    assert jnp.array_equal(r.realization(3)["x"], exact(jax.random.fold_in(KEY, 3))["x"], equal_nan=True)
    again = Here()
    same(ensemble(tmp_path / "s", again), whole)
    assert again.parts == []
    same(jt.merge(tmp_path / "s"), whole)


def test_parts_that_come_in_any_order(tmp_path, whole):
    later, seen = Later(), []
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        found = thread.submit(ensemble, tmp_path / "s", later, progress=lambda done, total: seen.append(done))
        while len(later.waiting) < 6:
            pass
        for i in (5, 0, 3, 1, 1, 0):
            later.work(i)
        same(found.result(), whole)
    assert seen[0] == 0 and seen[-1] == 90 and seen == sorted(seen)


def test_the_target_takes_back_what_has_not_begun(tmp_path):
    plain = lambda key: jax.random.uniform(key, (3,))
    single = jt.ensemble(plain, KEY, 1280, batch_size=32, target_error=0.02)
    here = Here()
    options = {"f": plain, "n": 1280, "parts": 20, "batch_size": 32, "target_error": 0.02}
    r = ensemble(tmp_path / "s", here, **options)
    same(r, single)
    assert r.target_reached and here.parts == list(range(-(-single.tried // 64))) and "asked for" in repr(r)
    later = Later()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        found = thread.submit(ensemble, tmp_path / "t", later, **options)
        while len(later.waiting) < 20:
            pass
        later.work(19)  # too many parts, in the wrong order, change nothing
        for _ in range(len(here.parts)):
            later.work(0)
        same(found.result(), single)
    assert all(future.cancelled() for future, _, _ in later.waiting) and len(later.waiting) == 19 - len(here.parts)


def test_flags_go_along(tmp_path):
    f = lambda key: jax.random.normal(key, (2,))
    later = Later()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        found = thread.submit(ensemble, tmp_path / "s", later, f=f, parts=2)
        while len(later.waiting) < 2:
            pass
        with jax.enable_x64(False):  # of this thread alone, as of a spawned worker
            assert jnp.zeros(()).dtype == jnp.float32
            later.work(0)
            later.work(0)
        assert found.result().mean.dtype == jnp.float64
    same(jt.merge(tmp_path / "s"), jt.ensemble(f, KEY, 90, batch_size=10))


def test_an_error_of_a_part_is_that_error_with_its_place(tmp_path):
    def bad(key):
        def fail(_):
            raise ZeroDivisionError("of the user")

        data = jax.random.key_data(key)[0]
        return jax.pure_callback(fail, jax.ShapeDtypeStruct((), float), data, vmap_method="sequential")

    with pytest.raises(RuntimeError, match="of the user") as raised:
        ensemble(tmp_path / "s", Here(), f=bad, n=6)  # one batch each: none is begun ahead
    assert any("In part 0 of 6" in note for note in raised.value.__cause__.__notes__)
    assert "part 3 of 6 (" in str(raised.value) and "part 4" not in str(raised.value)
    assert "and 2 more parts" in str(raised.value)


class Full(Here):
    """The disk of the workers of some parts is full."""

    def __init__(self, bad):
        super().__init__()
        self.bad = bad

    def submit(self, fn, /, k, *args):
        if k not in self.bad:
            return super().submit(fn, k, *args)
        future = concurrent.futures.Future()
        future.set_result(OSError(errno.ENOSPC, f"Cannot write to the store of {k}: No space left on device"))
        return future


def test_a_full_disk_of_one_part_stops_no_other(tmp_path, whole):
    full = Full({1, 3})
    with pytest.raises(
        RuntimeError, match=r"part 1 of 6 \(OSError.*of 1: No space.*, part 3 of 6.*these alone"
    ) as raised:
        ensemble(tmp_path / "s", full)
    assert full.parts == [0, 2, 4, 5] and isinstance(raised.value.__cause__, OSError)
    again = Here()
    same(ensemble(tmp_path / "s", again), whole)
    assert again.parts == [1, 3]


@pytest.mark.parametrize("name", ["x", "status"])
def test_a_damaged_part_stops_no_other(tmp_path, whole, name):
    jt.ensemble(exact, KEY, 90, batch_size=10, store=tmp_path / "s", part=(2, 6))
    folder = tmp_path / "s" / "parts" / "00002" / name / "c"
    block = next(file for file in sorted(folder.rglob("*")) if file.is_file())
    block.write_bytes(block.read_bytes()[:-5])
    here = Here()
    with pytest.raises(RuntimeError, match=r"Parts failed: part 2 of 6 .*Delete .*00002") as raised:
        ensemble(tmp_path / "s", here)
    assert here.parts == [0, 1, 3, 4, 5] and str(block) in str(raised.value)
    assert jt.merge(tmp_path / "s", partial=True).tried == 75
    block.unlink()
    same(ensemble(tmp_path / "s", here), whole)
    assert here.parts[5:] == [2]


def test_a_part_in_use_stops_no_other(tmp_path, whole, monkeypatch):
    jt.ensemble(exact, KEY, 90, batch_size=10, store=tmp_path / "s", part=(1, 6))
    block = next(file for file in (tmp_path / "s" / "parts" / "00001" / "status" / "c").rglob("*") if file.is_file())
    block.unlink()  # not finished
    monkeypatch.setattr(store_module, "PATIENCE", 0.0)
    guard = store_module._lock(tmp_path / "s" / "parts" / "00001")
    here = Here()
    try:
        with pytest.raises(RuntimeError, match=r"Parts failed: part 1 of 6 .*in use.*Wait until it is done"):
            ensemble(tmp_path / "s", here)
    finally:
        store_module.os.close(guard)
    assert here.parts == [0, 1, 2, 3, 4, 5]
    same(ensemble(tmp_path / "s", here), whole)
    assert here.parts[6:] == [1]


class Stale(Here):
    """Its workers imported the module before it was changed."""

    def submit(self, fn, /, k, *args):
        old = fn if k % 2 == 0 else dataclasses.replace(fn, realization=lambda key: fn.realization(key) + 100.0)
        return super().submit(old, k, *args)


def test_a_worker_with_another_function_is_refused(tmp_path):
    plain = lambda key: jax.random.uniform(key, (3,))
    with pytest.raises(ValueError, match=r"`executor` must have workers that run this function.*start it anew"):
        ensemble(tmp_path / "s", Stale(), f=plain)


def test_a_bad_part_beyond_the_target_is_not_wanted(tmp_path):
    plain = lambda key: jax.random.uniform(key, (3,))
    options = {"f": plain, "n": 1280, "parts": 20, "batch_size": 32, "target_error": 0.02}
    jt.ensemble(plain, KEY, 1280, batch_size=32, store=tmp_path / "s", part=(19, 20))
    block = next(file for file in (tmp_path / "s" / "parts" / "00019" / "status" / "c").rglob("*") if file.is_file())
    block.write_bytes(b"")
    same(ensemble(tmp_path / "s", Here(), **options), jt.ensemble(plain, KEY, 1280, batch_size=32, target_error=0.02))


def test_another_run_is_refused_before_anything_is_submitted(tmp_path):
    ensemble(tmp_path / "s", Here())
    here = Here()
    for options, why in (({"n": 91}, "n = 90"), ({"parts": 5}, "6 parts"), ({"f": jax.random.uniform}, "arrays")):
        with pytest.raises(ValueError, match=f"`store` must hold the same run.*{why}"):
            ensemble(tmp_path / "s", here, **options)
    assert here.parts == []


class Lost(concurrent.futures.Executor):
    def __init__(self, error):
        self.error = error

    def submit(self, fn, /, *args):
        future = concurrent.futures.Future()
        future.set_exception(self.error)
        return future


def test_errors_of_the_executor_say_what_to_do(tmp_path, monkeypatch):
    for error in (concurrent.futures.BrokenExecutor("a worker died"), concurrent.futures.CancelledError("shut down")):
        with pytest.raises(RuntimeError, match=r"Run the same call again.*keeps what was computed"):
            ensemble(tmp_path / "s", Lost(error))
    for error in (TypeError("unhashable type: 'list'"), AttributeError("'Client' object has no attribute 'loop'")):
        with pytest.raises(RuntimeError, match=r"The executor failed .*notebook or by python -c.*into a module"):
            ensemble(tmp_path / "s", Lost(error))
    for error in (AttributeError("Can't get attribute 'f' on <module '__main__'>"), TypeError("cannot pickle 'x'")):
        with pytest.raises(ValueError, match="`realization` must be a function that the executor can send"):
            ensemble(tmp_path / "s", Lost(error))
    with pytest.raises(ValueError, match=r"`realization` must be a function that the executor can send.*Dask"):
        ensemble(tmp_path / "s", Here(pickled=True), f=lambda key: jax.random.uniform(key))

    class Elsewhere(Here):
        def submit(self, fn, /, k, *args):
            future = concurrent.futures.Future()
            future.set_result(None)  # in a folder that this process does not see
            return future

    monkeypatch.setattr(executor_module, "PATIENCE", 0.2)
    with pytest.raises(RuntimeError, match=r"Part 0 of 6 was computed, but .* does not show it here"):
        ensemble(tmp_path / "s", Elsewhere())


def test_a_forked_worker_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "IMPORTED_IN", -1)
    with pytest.raises(ValueError, match=r"`executor` must start fresh processes.*spawn"):
        ensemble(tmp_path / "s", Here())


def test_arguments_that_do_not_fit_are_named(tmp_path):
    store, here = tmp_path / "s", Here()
    for options, name in (
        ({"executor": here, "parts": 2}, "store"),
        ({"store": store, "executor": "dask", "parts": 2}, "executor"),
        ({"store": store, "executor": here}, "parts"),
        ({"store": store, "executor": here, "parts": 0}, "parts"),
        ({"store": store, "executor": here, "parts": 91}, "parts"),
        ({"store": store, "parts": 2}, "executor"),
        ({"store": store, "executor": here, "parts": 2, "part": (0, 2)}, "part"),
        ({"store": store, "executor": here, "parts": 2, "devices": 1}, "devices"),
    ):
        with pytest.raises(ValueError, match=f"`{name}`"):
            jt.ensemble(exact, KEY, 90, **options)
    assert not store.exists() and here.parts == []


def test_process_pool(tmp_path, whole):
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        same(ensemble(tmp_path / "s", pool, parts=3), whole)
