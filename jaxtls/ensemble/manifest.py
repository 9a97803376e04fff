"""What a store says about the run that wrote it, and whether another run may go on with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import jax
from jaxtyping import Array

from .keys import describe
from .program import Program

FORMAT = 1


def manifest(program: Program, key: Array) -> dict[str, Any]:
    """Flat, of numbers and strings, so that xarray can write it to any file; kept in the store's `zarr.json`."""
    return {
        "jaxtls_store": FORMAT,
        "jaxtls": version("jaxtls"),
        "jax": jax.__version__,
        "platform": jax.default_backend(),
        "key": describe(key),
        "fingerprint": program.fingerprint,
        "leaves": json.dumps(
            [[name, list(shape), str(kind)] for name, (shape, kind) in zip(program.names, program.leaves)]
        ),
    }


def refusal(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """Why a run must not go on with a store, or None."""
    if old.get("jaxtls_store") != FORMAT:
        return f"it has format {old.get('jaxtls_store')} and this version of jaxtls writes {FORMAT}"
    if old["key"] != new["key"]:
        return f"its key is {old['key']}, not {new['key']}"
    if old["leaves"] != new["leaves"]:
        return f"its arrays [name, shape, dtype] are {old['leaves']}, not {new['leaves']}"
    if old["fingerprint"] != new["fingerprint"]:
        versions = [f"{name} {old[name]} (now {new[name]})" for name in ("jaxtls", "jax") if old[name] != new[name]]
        why = f"; it was written with {', '.join(versions)}" if versions else ""
        return f"its realizations were computed by another function or with other parameters{why}"
    return None
