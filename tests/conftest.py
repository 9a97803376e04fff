import os
import pathlib

# Two virtual CPU devices, so that anything that depends on the device count is seen here first.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
os.environ.setdefault("MPLBACKEND", "Agg")

import jax
import jaxtyping
import pytest

jax.config.update("jax_enable_x64", True)


# A worker's memory beyond which compiled programs are thrown away, and the mappings, of which Linux allows 65530.
MOST_BYTES, MOST_MAPPINGS = 2 * 2**30, 20_000


@pytest.fixture(autouse=True, scope="module")
def _free_compiled_code():
    """Compiled programs pile up over a session; files of tests share them only as long as they are few."""
    yield
    if _crowded():
        jax.clear_caches()


def _crowded() -> bool:
    try:
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        mappings = pathlib.Path("/proc/self/maps").read_bytes().count(b"\n")
    except OSError:  # not Linux: nothing is known
        return True
    return pages * os.sysconf("SC_PAGE_SIZE") > MOST_BYTES or mappings > MOST_MAPPINGS


@pytest.fixture
def unchecked():
    """Arguments of wrong types reach the library's own checks, as they do outside this suite."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
