import os

# Two virtual CPU devices, so that anything that depends on the device count is seen here first.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
os.environ.setdefault("MPLBACKEND", "Agg")

import jax
import pytest

jax.config.update("jax_enable_x64", True)


@pytest.fixture(autouse=True, scope="module")
def _free_compiled_code():
    """Compiled programs pile up over a session; each test file starts without those of the last."""
    yield
    jax.clear_caches()
