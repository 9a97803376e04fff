"""GPUs that XLA compiles for where none is present, as it wants them described, and what a model of time needs."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

PLUGINS = ("jax_cuda12_plugin", "jax_cuda13_plugin")
MISSING = (
    "The CUDA plugin of JAX is not installed here: `pip install 'jax[cuda12]'` brings it, some 5 GB; no GPU and no "
    "driver are needed to compile."
)
# Without a device no kernel can be tried out, so XLA is told not to choose among them by time.
OPTIONS = {"xla_gpu_autotune_level": 0}


@dataclass(frozen=True)
class Target:
    """A card: as its maker's data sheet has it."""

    name: str
    capability: tuple[int, int]
    cores: int
    clock_ghz: float
    bandwidth: float  # bytes/s
    memory: float  # bytes
    cache: int  # bytes, L2
    shared_memory: int  # bytes of a core
    single_units: int  # of a core, for single precision

    @property
    def description(self) -> str:
        """As `jax.experimental.topologies` wants it."""
        block = self.shared_memory - 1024
        return f"""gpu_device_info {{
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
  shared_memory_per_core: {self.shared_memory} threads_per_core_limit: 2048 core_count: {self.cores}
  fpus_per_core: {self.single_units} block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: {self.bandwidth:.0f} l2_cache_size: {self.cache} clock_rate_ghz: {self.clock_ghz}
  device_memory_size: {self.memory:.0f} shared_memory_per_block_optin: {block}
  cuda_compute_capability {{ major: {self.capability[0]} minor: {self.capability[1]} }}
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
}}
platform_name: "CUDA" dnn_version_info {{ major: 9 minor: 8 }} device_description_str: "NVIDIA {self.name}"
"""

    def sharding(self) -> NamedSharding:
        """One described card for all of a program."""
        if not any(find_spec(name) for name in PLUGINS):
            raise SystemExit(MISSING)
        found = topologies.get_topology_desc(
            platform="cuda", topology_name="1x1x1", topology="1x1x1", target_config=self.description
        )
        return NamedSharding(Mesh(np.array(found.devices), ("card",)), PartitionSpec())

    def compile(self, function: Any, arguments: Any) -> Any:
        """`jax.stages.Compiled` for this card."""
        where = self.sharding()
        like = lambda a: jax.ShapeDtypeStruct(np.shape(a), jax.numpy.result_type(a), sharding=where)
        lowered = jax.jit(function, in_shardings=where, out_shardings=where).lower(*jax.tree.map(like, arguments))
        return lowered.compile(compiler_options=OPTIONS)


TARGETS = {
    "h200": Target("H200", (9, 0), 132, 1.98, 4.8e12, 141e9, 52428800, 233472, 128),
    "h100": Target("H100", (9, 0), 132, 1.98, 3.35e12, 80e9, 52428800, 233472, 128),
    "a100": Target("A100", (8, 0), 108, 1.41, 2.04e12, 80e9, 41943040, 167936, 64),
}
