"""In processes of their own: killed and resumed, several devices."""

import os
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

import jaxtls as jt

REALIZATION = """
def draw(key):
    x = jax.random.normal(key, (3,))
    return {"x": jnp.where(x[0] > 1.2, jnp.nan, jnp.cumsum(x)), "z": x[1] + 1j * x[2]}
"""
exec("import jax.numpy as jnp\n" + REALIZATION)

HEAD = """
import os, signal, sys
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)
import jaxtls as jt
"""
PRINT = """
leaves = jax.tree.leaves((r.mean, r.sem, r.std))
print(r.count, r.failed_indices, *(np.asarray(leaf).tobytes().hex() for leaf in leaves))
"""

# One batch a block and three writes a block. The process kills itself before or after a chosen write is named.
KILLED = (
    HEAD
    + """
import pathlib
from importlib import import_module
store = import_module("jaxtls.ensemble.store")
store.MOST_ROWS = 16
store.WRITING = float("inf")
left, before, replace = int(sys.argv[2]), sys.argv[3] == "before", pathlib.Path.replace
def counting(a, b):
    global left
    left -= 1
    if left == 0 and before:
        os.kill(os.getpid(), signal.SIGKILL)
    found = replace(a, b)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return found
pathlib.Path.replace = counting
"""
    + REALIZATION
    + """
r = jt.ensemble(draw, jax.random.key(4), 100, batch_size=10, devices=1, store=sys.argv[1])
"""
    + PRINT
)


def start(script, *arguments, devices=1):
    # The other flags stay: what is compiled otherwise differs in the last bits.
    flags = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if "device_count" not in flag]
    flags = " ".join([*flags, f"--xla_force_host_platform_device_count={devices}"])
    environment = dict(os.environ, JAX_PLATFORMS="cpu", XLA_FLAGS=flags)
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def printed(r):
    leaves = jax.tree.leaves((r.mean, r.sem, r.std))
    return " ".join(map(str, (r.count, r.failed_indices, *(np.asarray(leaf).tobytes().hex() for leaf in leaves))))


def finished(process):
    try:
        out, err = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, err[-3000:]
    return out.strip().splitlines()[-1]


@pytest.mark.slow
def test_killed_at_several_moments_and_resumed_to_the_last_bit(tmp_path):
    want = printed(jt.ensemble(draw, jax.random.key(4), 100, batch_size=10, devices=1))  # noqa: F821 (from `exec`)
    for write, moment in ((3, "before"), (17, "after")):
        process = start(KILLED, tmp_path / "s", write, moment)
        process.communicate(timeout=300)
        assert process.returncode == -9
    assert finished(start(KILLED, tmp_path / "s", 0, "never")) == want
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["s"]


DEVICES = (
    HEAD
    + REALIZATION
    + """
assert len(jax.devices()) == 4
one, all = jax.devices()[1:2], jax.devices()
runs = [jt.ensemble(draw, jax.random.key(1), 101, batch_size=8, devices=d) for d in (all, one, 3)]
assert [len(r.devices) for r in runs] == [4, 1, 3] and [r.batch_size for r in runs] == [8, 8, 9]
for r in runs[1:]:
    assert (r.count, r.failed_indices) == (runs[0].count, runs[0].failed_indices) and r.tried == 101
    for a, b in zip(jax.tree.leaves((r.mean, r.sem)), jax.tree.leaves((runs[0].mean, runs[0].sem))):
        np.testing.assert_allclose(a, b, rtol=1e-13)

# Loops of random length: the devices do not wait for each other, and each gives what it gives alone.
def walk(key):
    step = lambda c: (c[0] + 1, c[1] + jax.random.normal(jax.random.fold_in(key, c[0])))
    return jax.lax.while_loop(lambda c: jnp.abs(c[1]) < 3.0, step, (0, 0.0))
a, b = (jt.ensemble(walk, jax.random.key(1), 50, batch_size=12, devices=d) for d in (4, 1))
np.testing.assert_allclose(a.mean[0], b.mean[0], rtol=1e-13)
print("done")
"""
)


@pytest.mark.slow
def test_four_devices_are_one():
    assert finished(start(DEVICES, devices=4)) == "done"


def test_a_process_among_several_is_told_to_take_a_part(monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 4)
    with pytest.raises(ValueError, match=r"`part` must be given.*jax.process_index\(\).*jt.merge"):
        jt.ensemble(draw, jax.random.key(1), 20)  # noqa: F821
