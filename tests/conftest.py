import contextlib
import gc
import os
import pathlib

# Two virtual CPU devices, so that anything that depends on the device count is seen here first.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
os.environ.setdefault("MPLBACKEND", "Agg")

import jax
import jaxtyping
import pytest

jax.config.update("jax_enable_x64", True)
# Programs are hundreds of thousands of objects; looking through them so often took a thirtieth of the time.
gc.set_threshold(20_000, 20, 50)


# What a worker may hold before compiled programs are thrown away: memory beyond what was left the last time, which
# Python does not give back, and mappings, of which Linux allows 65530 and a program takes several.
MORE_BYTES, MOST_MAPPINGS = 2**30, 16_000
_left = 2**30


@pytest.fixture(autouse=True, scope="module")
def _free_compiled_code():
    """Compiled programs pile up over a session; files of tests share them only as long as they are few."""
    global _left
    yield
    if _crowded():
        jax.clear_caches()
        with contextlib.suppress(OSError):
            _left = _bytes()


def _crowded() -> bool:
    try:
        return (
            _bytes() > _left + MORE_BYTES or pathlib.Path("/proc/self/maps").read_bytes().count(b"\n") > MOST_MAPPINGS
        )
    except OSError:  # not Linux: nothing is known
        return True


def _bytes() -> int:
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def unchecked():
    """Arguments of wrong types reach the library's own checks, as they do outside this suite."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
