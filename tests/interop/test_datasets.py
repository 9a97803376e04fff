"""Results as xarray data sets: numbers, axes, units, errors."""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.interop import to_xarray
from jaxtls.lindblad.mesolve import MasterSolution
from jaxtls.lindblad.trajectories import TrajectoriesResult

TS = jnp.linspace(0.0, 1.0, 2)


def solution(**changes):
    # as many times as levels: axes are told by their places, not by their lengths
    fields = {
        "ts": TS, "observables": {"x": jnp.cos(TS), "p": jnp.ones((2, 3))}, "states": jnp.ones((2, 2, 2), complex),
        "stats": {"method": "none", "steps": 3}, "diagnostics": {"trace_error": jnp.array(2.0)},
        "success": jnp.array(True), "limits": {"trace_error": 1.0},
    }  # fmt: skip
    return jt.Solution(**{**fields, **changes})


def test_solution():
    ds = to_xarray(solution(), coords={"mode": [1, 2, 3]}, units={"t": "s", "x": "m"})
    assert {name: ds[name].dims for name in ds.data_vars} == {
        "x": ("t",), "p": ("t", "mode"), "state": ("t", "state_0", "state_1"),
    }  # fmt: skip
    assert_allclose(ds["x"].sel(t=1.0), np.cos(1.0))
    assert (ds["t"].attrs["units"], ds["x"].attrs["units"]) == ("s", "m")
    assert (ds.attrs["success"], ds.attrs["trace_error"], ds.attrs["stats_method"]) == (1, 2.0, "none")
    assert "lower rtol" in ds.attrs["concerns"]
    two = to_xarray(solution(states={"a": jnp.ones(2), "b": {"c": jnp.zeros((2, 4))}}))
    assert two["b.c"].dims == ("t", "b.c_0")


def test_solution_goes_to_netcdf(tmp_path):
    ds = to_xarray(solution(states=None))
    ds.to_netcdf(tmp_path / "x.nc", engine="scipy")
    import xarray

    with xarray.open_dataset(tmp_path / "x.nc", engine="scipy") as back:
        assert_allclose(back["x"], ds["x"])


def test_master_equation_and_trajectories():
    ds = to_xarray(MasterSolution(solution(), jnp.ones((2, 2), complex)))
    assert ds["expect"].dims == ("operator", "t") and ds["state"].dims[0] == "t"
    numbers = dict(
        mean=jnp.ones((2, 2), complex), sem=jnp.full((2, 2), 0.1), jumps=jnp.array([3, 4]), steps=jnp.zeros(2)
    )
    ds = to_xarray(TrajectoriesResult(ts=TS, success=jnp.array(True), **numbers), units={"t": "s"})
    assert ds["expect"].dims == ("operator", "t") and ds["jumps"].dims == ("trajectory",)
    assert ds["expect"].attrs["ancillary_variables"] == "expect_sem" and ds.attrs["count"] == 2


def test_ensemble():
    ts = np.linspace(0.0, 1.0, 4)
    realization = lambda key: {"x": jax.random.normal(key) * ts, "n": jax.random.normal(key), "map": jnp.ones((4, 4))}
    r = jt.ensemble(realization, jax.random.key(0), 8, batch_size=8)
    ds = to_xarray(r, coords={"t": ts, "k": np.arange(4)}, units={"t": "s", "x": "m"})
    assert ds["x"].dims == ("k",) and ds["map"].dims == ("t", "k") and ds["n"].dims == ()
    ds = to_xarray(r, coords={"t": ts}, units={"t": "s", "x": "m"})
    assert ds["x"].dims == ds["x_sem"].dims == ds["x_std"].dims == ("t",) and ds["map"].dims == ("map_0", "t")
    assert_allclose(ds["x_sem"], r.sem["x"])
    assert ds["x_sem"].attrs == {"long_name": "standard error of x", "units": "m"}
    assert (ds.attrs["count"], ds.attrs["failed"]) == (8, 0)
    alone = jt.ensemble(lambda key: jax.random.normal(key), jax.random.key(0), 8, batch_size=8)
    assert_allclose(to_xarray(alone)["value"], alone.mean)


def test_fit():
    class Line(eqx.Module):
        slope: jax.Array
        offset: float

    x = jnp.arange(3.0)  # as many data as parameters
    free = {"slope": jt.Real(), "offset": jt.Real()}
    f = jt.fit(lambda m: {"y": m.slope[0] * x + m.offset + m.slope[1]}, Line(jnp.ones(2), 0.0), {"y": x}, free=free)
    ds = to_xarray(f, coords={"x": x}, units={"predicted_y": "V"})
    assert list(ds["parameter"].values) == ["slope[0]", "slope[1]", "offset"]
    assert_allclose(ds["value"].sel(parameter="slope[0]"), 1, atol=1e-6)
    assert ds["covariance"].dims == ("parameter", "parameter_2")
    assert ds["predicted_y"].dims == ds["residual_y"].dims == ("x",)
    assert ds.attrs["dof"] == f.dof and "offset" in ds.attrs["identifiability"]


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: to_xarray(3), "`result` must be a Solution"),
        (lambda: to_xarray(solution(ts=jnp.ones((2, 2)))), "Index it first"),
        (lambda: to_xarray(solution(), coords={"k": np.ones((2, 2))}), "`coords` must hold one-dimensional"),
        (lambda: to_xarray(solution(), units={"y": "m"}), "`units` must name some of"),
    ],
)
def test_faults_are_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_missing_xarray_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match="jaxtls\\[store\\]"):
        to_xarray(solution())
