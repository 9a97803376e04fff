"""SIGKILL at random moments: of processes that run parts, of a pool's workers, of Dask's. Nothing stored is lost."""

import concurrent.futures
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import jax
import numpy as np
import pytest

import jaxtls as jt
from jaxtls.ensemble.parts import folders
from jaxtls.ensemble.store import Store

from .jobs import KEY, exact, run_parts, slow
from .same import same

PARTS = 8
EACH = 60  # realizations for each kill, so that there is work left for the last one


class Watch:
    """What a store holds, and that it never loses any of it.

    Args:
        store: the folder of the parts.
        n: realizations in all.
        kills: how many are to come.
    """

    def __init__(self, store, n, kills):
        self.store, self.n, self.left = store, n, kills
        self.rng = np.random.default_rng(kills)
        self.held = np.zeros(n, bool)

    def look(self):
        """Count what is there."""
        now = np.zeros(self.n, bool)
        for path in folders(self.store).values() if self.store.exists() else ():
            part = Store.view(path, ("x", "z"))
            low = part._group.attrs["low"]
            now[low : low + len(part.known)] = part.known
        assert not np.any(self.held & ~now), f"{np.sum(self.held & ~now)} realizations were lost"
        self.held = now
        return int(now.sum())

    def kill(self, find, wanted=lambda: True):
        """Wait until something new is stored, and a moment, and kill one of the processes that `find` gives."""
        before = self.look()
        while wanted() and self.look() == before:
            time.sleep(0.03)
        time.sleep(self.rng.uniform(0, 0.2))
        living = find() if wanted() else []
        if living:
            os.kill(int(self.rng.choice(living)), signal.SIGKILL)
            self.left -= 1

    def kill_while(self, find, work):
        """Kill again and again while some work goes on in this process; what it returned."""
        done = threading.Event()

        def killer():
            while self.left and not done.is_set():
                self.kill(find, lambda: not done.is_set())

        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            killing = thread.submit(killer)
            try:
                return work()
            finally:
                done.set()
                killing.result()


def finished(store, n):
    """Nothing is missing, and every bit is that of an undisturbed run."""
    for k in range(PARTS):
        run_parts(store, n, PARTS, [k])
    same(jt.merge(store), jt.ensemble(exact, jax.random.key(KEY), n, batch_size=4))


SCRIPT = """
import ast, sys
from tests.ensemble.jobs import run_parts
run_parts(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), ast.literal_eval(sys.argv[4]))
"""


def start(store, n, order):
    command = [sys.executable, "-c", SCRIPT, str(store), str(n), str(PARTS), str(list(order))]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_processes_that_run_parts(tmp_path, kills):
    store, n = tmp_path / "s", EACH * kills
    watch = Watch(store, n, kills)
    orders = (range(PARTS), range(PARTS - 1, -1, -1))  # they meet in the middle
    both = [start(store, n, order) for order in orders]
    while watch.left:
        watch.kill(lambda: [process.pid for process in both if process.poll() is None])
        for i, process in enumerate(both):
            if watch.left and process.poll() is not None:
                assert process.returncode in (0, -signal.SIGKILL), process.stderr.read()[-3000:]
                assert process.returncode or watch.look() < n, "all was done before it could be killed"
                process.stderr.close()
                both[i] = start(store, n, orders[i])
    for process in both:
        process.kill()
        process.communicate()
    finished(store, n)


def ensemble(store, n, executor):
    return jt.ensemble(slow, jax.random.key(KEY), n, batch_size=4, store=store, executor=executor, parts=PARTS)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [10])
def test_workers_of_a_pool(tmp_path, kills):
    store, n = tmp_path / "s", EACH * kills
    watch, result = Watch(store, n, kills), None
    while result is None:
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                result = watch.kill_while(lambda: list(pool._processes or ()), lambda: ensemble(store, n, pool))
            except RuntimeError as error:
                assert "Run the same call again" in str(error)
    assert watch.left == 0, "all was done before it could be killed"
    same(result, jt.merge(store))
    finished(store, n)


@pytest.mark.filterwarnings("ignore:::distributed", "ignore:::dask", "ignore::ResourceWarning")
@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, 20])
def test_workers_of_dask(tmp_path, kills):
    """Its scheduler runs the part again elsewhere; the call does not notice. Closures go by cloudpickle."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    # Twice the work a kill of the other forms, which a quiet machine ends before the last one.
    store, n, factor = tmp_path / "s", 2 * EACH * kills, 1.0
    closure = lambda key: jax.tree.map(lambda x: x * factor, slow(key))
    watch = Watch(store, n, kills)
    settings = {"distributed.scheduler.allowed-failures": 1000}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            2, processes=True, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        find = lambda: [nanny.pid for nanny in cluster.workers.values() if nanny.pid is not None]
        work = lambda: jt.ensemble(
            closure, jax.random.key(KEY), n, batch_size=4, store=store, executor=client.get_executor(), parts=PARTS
        )
        result = watch.kill_while(find, work)
    assert watch.left == 0, "all was done before it could be killed"
    same(result, jt.merge(store))
    same(result, jt.ensemble(exact, jax.random.key(KEY), n, batch_size=4))
