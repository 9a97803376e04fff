"""Gives results as `xarray.Dataset`: every number under its name, with coordinates, units and standard errors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from .._checks import require
from ..dynamics import Solution
from ..ensemble import EnsembleResult
from ..fitting import FitResult
from ..lindblad.mesolve import MasterSolution
from ..lindblad.trajectories import TrajectoriesResult

Values = dict[str, np.ndarray]
Variables = dict[str, tuple[tuple[str, ...], np.ndarray]]
Attributes = dict[str, Any]


def to_xarray(
    result: PyTree, *, coords: Mapping[str, Any] | None = None, units: Mapping[str, str] | None = None
) -> Any:
    """Gives a result as an `xarray.Dataset`.

    Of a `Solution` (or what `jt.mesolve` and `jt.trajectories` return) observables and states against `t`; of an
    `EnsembleResult` each leaf with NAME_std and NAME_sem; of a `FitResult` `value`, `stderr`, `covariance` and
    `correlation` by `parameter`, beside data as `predicted` and `residual`. Whatever tells whether to trust the numbers
    (success, diagnostics, counts, chi2) is in the attributes.

    Arguments:
        result: one of these.
        coords: name -> (K,) coordinates of axes that the result has no names for, as {"t": ts} for an ensemble. Such an
            axis is the coordinate that is as long; where two are, the later one belongs to the later axis.
        units: name -> unit, for whichever names have one.

    Returns:
        Dataset. x names its standard error x_sem as an ancillary variable (CF conventions).

    Raises:
        ValueError: for something else, coordinates that are not one-dimensional, or units of unknown names.
        ImportError: where xarray is missing.

    Example:
        >>> ts = jnp.linspace(0.1, 1.0, 4)
        >>> r = jt.ensemble(lambda key: {"x": jnp.cos(ts + jax.random.normal(key))}, jax.random.key(0), 10)
        >>> ds = jt.interop.to_xarray(r, coords={"t": ts}, units={"t": "s"})
        >>> ds["x_sem"].dims, ds["t"].attrs["units"], ds.attrs["count"]
        (('t',), 's', 10)
    """
    found, own, about = _contents(result)
    given = {name: np.asarray(axis) for name, axis in (coords or {}).items()}
    for name, axis in given.items():
        require(axis.ndim == 1, "coords", "hold one-dimensional arrays", f"{name} of shape {axis.shape}")
    lengths = {name: len(axis) for name, axis in given.items()}
    variables = {}
    for name, (axes, array) in found.items():
        variables[name] = (*axes, *placed(name, array.shape[len(axes) :], lengths)), array
    return dataset(variables, {**own, **given}, units or {}, about)


def dataset(variables: Variables, coords: Mapping[str, Any], units: Mapping[str, str], about: Mapping[str, Any]) -> Any:
    """Makes a Dataset of name -> (axes, array), with units, and errors NAME_sem tied to their means."""
    try:
        import xarray
    except ImportError as error:
        raise ImportError("This needs xarray: pip install 'jaxtls[store]'.") from error
    found = xarray.Dataset(variables, coords, dict(about))
    unknown = [name for name in units if name not in found]
    require(not unknown, "units", f"name some of {', '.join(map(str, found.variables))}", ", ".join(unknown))
    for name in map(str, found.variables):
        mean = name.removesuffix("_sem")
        if mean != name and mean in found:
            found[name].attrs["long_name"] = f"standard error of {mean}"
            found[mean].attrs["ancillary_variables"] = name
        if name in units or mean in units:
            found[name].attrs["units"] = units.get(name, units.get(mean))
    return found


def placed(name: str, shape: tuple[int, ...], lengths: Mapping[str, int]) -> tuple[str, ...]:
    """Gives the name of each axis: the latest coordinate of its length, each used once, from the last axis on.

    Example:
        >>> placed("map", (3, 3, 2), {"x": 3, "y": 3})
        ('x', 'y', 'map_2')
    """
    left, found = list(lengths), []
    for axis in reversed(range(len(shape))):
        fitting = [coordinate for coordinate in left if lengths[coordinate] == shape[axis]]
        found.append(fitting[-1] if fitting else f"{name}_{axis}")
        if fitting:
            left.remove(fitting[-1])
    return tuple(reversed(found))


# --- what each result holds: name -> (its own leading axes, array), their coordinates, attributes --------------------


@singledispatch
def _contents(result: PyTree) -> tuple[Variables, Values, Attributes]:
    known = "a Solution, or what mesolve, trajectories, ensemble or fit returned"
    raise ValueError(f"Argument `result` must be {known}, but got {type(result).__name__}.")


@_contents.register
def _(sol: Solution) -> tuple[Variables, Values, Attributes]:
    require(np.ndim(sol.ts) == 1, "result", "be one solution", f"a batch, ts {np.shape(sol.ts)}", "Index it first.")
    values = {name: np.asarray(array) for name, array in sol.observables.items()}
    values |= {} if sol.states is None else _leaves(sol.states, "state")
    about: Attributes = {"success": int(np.all(np.asarray(sol.success))), "concerns": "; ".join(sol.concerns())}
    about |= {name: float(np.max(np.asarray(value))) for name, value in sol.diagnostics.items()}
    about |= {f"stats_{name}": _plain(value) for name, value in sol.stats.items()}
    return {name: (("t",), array) for name, array in values.items()}, {"t": np.asarray(sol.ts)}, about


@_contents.register
def _(sol: MasterSolution) -> tuple[Variables, Values, Attributes]:
    found, own, about = _contents(sol.solution)
    expects = np.asarray(sol.expects)
    found["expect"] = ("operator", "t"), expects
    return found, {"operator": np.arange(len(expects)), **own}, about


@_contents.register
def _(result: TrajectoriesResult) -> tuple[Variables, Values, Attributes]:
    mean = np.asarray(result.mean)
    found: Variables = {
        name: (("operator", "t"), np.asarray(a)) for name, a in (("expect", mean), ("expect_sem", result.sem))
    }
    found["jumps"] = ("trajectory",), np.asarray(result.jumps)
    own = {"operator": np.arange(len(mean)), "t": np.asarray(result.ts)}
    return found, own, {"count": result.count, "success": int(np.all(np.asarray(result.success)))}


@_contents.register
def _(result: EnsembleResult) -> tuple[Variables, Values, Attributes]:
    found: Variables = {}
    for kind, tree in (("", result.mean), ("_std", result.std), ("_sem", result.sem)):
        found |= {f"{name}{kind}": ((), array) for name, array in _leaves(tree, "value").items()}
    return found, {}, {"count": result.count, "failed": result.failed}


@_contents.register
def _(f: FitResult) -> tuple[Variables, Values, Attributes]:
    found: Variables = {}
    for name, tree in (("value", f.values), ("stderr", f.stderr)):
        found[name] = ("parameter",), np.concatenate([np.ravel(np.asarray(part)) for part in tree.values()])
    for name, matrix in (("covariance", f.covariance), ("correlation", f.correlation)):
        found[name] = ("parameter", "parameter_2"), np.asarray(matrix)
    for kind, tree in (("predicted", f.predicted), ("residual", f.residuals)):
        for name, array in _leaves(tree, "").items():
            found[f"{kind}_{name}".rstrip("_")] = (), array
    about: Attributes = {"chi2": float(f.chi2), "dof": f.dof, "success": int(f.success), "message": f.message}
    names = np.array(f.names)
    return found, {"parameter": names, "parameter_2": names}, {**about, "identifiability": str(f.identifiability)}


def _leaves(tree: PyTree, alone: str) -> Values:
    """Give leaves by their dotted paths; a single array is called `alone`."""
    pairs = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator=".") or alone: np.asarray(leaf) for path, leaf in pairs}


def _plain(value: object) -> Any:
    return value if isinstance(value, str) else np.asarray(value).tolist()
