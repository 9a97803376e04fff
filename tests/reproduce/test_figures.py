"""Published figures: numbers against stored ones at tight settings, pictures, and the command."""

import csv
import json
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import xarray
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from jaxtls import plot, reproduce
from jaxtls.__main__ import main
from jaxtls.reproduce import FIGURES, run, wang_taylor_fig1, wang_taylor_fig2
from jaxtls.reproduce._files import to_dataset
from jaxtls.reproduce._wang_taylor import spring

# t = 5 periods; x, x2, S - S_thermal, impurity, each from an independent program (physics notes, section 1).
FIG1_END = {
    10: (1.401018, 2.99641, -0.0108624, 0.482401),
    20: (1.4106722, 2.7179219, -0.00988072, 0.3185784),
    40: (1.4129021, 2.6013514, -0.00946748, 0.1913946),
    100: (1.4137732, 2.5387293, -0.00924500, 0.0875949),
    1000: (1.4141738, 2.5037651, -0.00912067, 0.0096229),
}
# damping and dephasing a period, at 192 levels (N = 10) or 96, hierarchy 6 or 4, rtol = 1e-9
FIG2_RATES = {
    10: (9.96787e-4, 0.15865216),
    40: (1.502217e-4, 0.045643761),
    1000: (5.596482e-6, 0.0019216370),
    10_000: (5.585389e-7, 1.92546821e-4),
}


def figure1(size=6):
    t = np.linspace(0, 5, size)
    rows = np.array([[n * 0.01 + np.cos(t)] for n in (10, 100)])[:, 0]
    return {"n_spins": np.array([10.0, 100.0]), "t_over_period": t} | dict.fromkeys(wang_taylor_fig1.OBSERVABLES, rows)


def figure2():
    n, ratio = np.array([10.0, 100.0, 1000.0]), np.linspace(0.6, 0.8, 5)
    names = ("damping_rate", "dephasing_rate", "theory_damping_rate", "theory_dephasing_rate")
    data = {"n_spins": n} | dict.fromkeys(names, 1 / n)
    data |= {"entropic_ratio": ratio, "literal_entropic_ratio": ratio - 0.1}
    return data | dict.fromkeys(("ratio_dephasing_rate", "ratio_theory", "literal_dephasing_rate"), ratio**4)


@pytest.mark.parametrize("module, data", [(wang_taylor_fig1, figure1()), (wang_taylor_fig2, figure2())])
def test_draw(module, data):
    figure = module.draw(data)
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    assert all(ax.get_ylabel() for ax in figure.axes)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["(a)", "(b)", "(c)", "(d)"][: len(figure.axes)]


@pytest.mark.slow
def test_fig1_point(monkeypatch):
    monkeypatch.setattr(wang_taylor_fig1, "N_SPINS", (100, 1000))
    monkeypatch.setattr(wang_taylor_fig1, "QUICK", (40, 2))
    data = wang_taylor_fig1.data()
    ends = np.array([data[name][:, -1] for name in wang_taylor_fig1.OBSERVABLES]).T
    assert_allclose(ends, [FIG1_END[100], FIG1_END[1000]], rtol=2e-5)
    # Eq. 5 holds for the spins' entropy once they follow, but for their delay
    later = data["t_over_period"] > 0.2
    eq5 = wang_taylor_fig1.entropy_of_eq5(data["x2"][1, later])
    assert_allclose(data["spin_entropy"][1, later], eq5, atol=0.05 * np.ptp(eq5))


@pytest.mark.slow
def test_fig2_point():
    for n in (1000, 10_000):
        assert_allclose(wang_taylor_fig2.rates(spring(n, 32, 2), 5), FIG2_RATES[n], rtol=2e-3)


def test_precision_is_asked_for():
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        spring(10, 8, 2)


@pytest.mark.slow
def test_fig1_quick():
    data = wang_taylor_fig1.data()
    for i, n in enumerate(data["n_spins"]):
        if n in FIG1_END:
            end = [data[name][i, -1] for name in wang_taylor_fig1.OBSERVABLES]
            assert_allclose(end, FIG1_END[n], rtol=1e-5, err_msg=f"N = {n:g}")
    # the claims of the module's docstring
    t, n = data["t_over_period"], data["n_spins"]
    swing = np.ptp(data["spin_entropy"][:, (t >= 0.2) & (t <= 0.55)], axis=1)
    assert_allclose(swing, swing[-1], rtol=4e-3)
    fifth, first = data["x2"][:, t >= 4].mean(1), data["x2"][:, t <= 1].mean(1)
    assert_allclose((fifth / first)[n == 10], 1.36, atol=0.01)


@pytest.mark.slow
def test_fig2_quick():
    data = wang_taylor_fig2.data()
    n = data["n_spins"]
    for i, count in enumerate(n):
        if count in FIG2_RATES:
            found = (data["damping_rate"][i], data["dephasing_rate"][i])
            assert_allclose(found, FIG2_RATES[count], rtol=2e-3, err_msg=f"N = {count:g}")
    # the claims of the module's docstring
    damping, dephasing = ((n * data[name]) / (n * data[name])[-1] for name in ("damping_rate", "dephasing_rate"))
    assert_allclose(damping[n >= 40], 1, atol=0.08)
    assert damping[n == 20] > 1.2
    assert_allclose(dephasing[n >= 20], 1, atol=0.1)
    assert_allclose(data["damping_rate"][-1], data["theory_damping_rate"][-1], rtol=1e-3)
    assert_allclose(data["dephasing_rate"][-1], data["theory_dephasing_rate"][-1], rtol=0.015)
    assert abs(wang_taylor_fig2.slope(data["entropic_ratio"], data["ratio_dephasing_rate"]) - 3.6) < 0.05
    assert abs(wang_taylor_fig2.slope(data["entropic_ratio"], data["ratio_theory"]) - 4) < 1e-9
    assert abs(wang_taylor_fig2.slope(data["literal_entropic_ratio"], data["literal_dephasing_rate"]) - 3.34) < 0.05


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def toy(monkeypatch):
    """A registry with one cheap figure."""

    def data(quick, progress):
        x = np.arange(6.0).reshape(2, 3)
        t = np.array([0.0, 0.1, 0.2 if quick else 0.3])
        return {"n_spins": np.array([5.0, 10.0]), "t": t, "x": x, "x_sem": np.full((2, 3), 0.1)}

    axes = {"n_spins": "", "t": "s"}
    looks = {"__doc__": "A toy.", "AXES": axes, "draw": lambda data: plot.figure()}
    monkeypatch.setitem(FIGURES, "toy", SimpleNamespace(data=data, **looks))


def test_command(toy, tmp_path, capsys):
    folder = tmp_path / "deep"
    assert main(["reproduce", "toy", "--out", str(folder), "--full", "--netcdf"]) == 0
    said = capsys.readouterr()
    # What was found is told with what was written.
    assert str(folder / "toy.png") in said.out and said.out.endswith("\n\nA toy.\n")
    assert "toy: compute, full size" in said.err
    assert (folder / "toy.png").stat().st_size > 1000
    with open(folder / "toy.csv", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["n_spins", "t", "x_N5", "x_N10", "x_sem_N5", "x_sem_N10"],
        ["5", "0", "0", "3", "0.1", "0.1"], ["10", "0.1", "1", "4", "0.1", "0.1"], ["", "0.3", "2", "5", "0.1", "0.1"],
    ]  # fmt: skip
    made = json.loads((folder / "toy.json").read_text(encoding="utf-8"))
    assert (made["size"], made["files"], made["findings"]) == ("full", ["toy.png", "toy.csv", "toy.nc"], "A toy.")
    with xarray.open_dataset(folder / "toy.nc", engine="scipy") as found:
        assert found["x"].dims == ("n_spins", "t") and found["t"].attrs["units"] == "s"
        assert_allclose(found["x"], np.arange(6.0).reshape(2, 3))
        assert found["x"].attrs["ancillary_variables"] == "x_sem" and found.attrs["size"] == "full"


def test_command_goes_on_where_it_stopped(toy, tmp_path, capsys):
    command = ["reproduce", "toy", "--quiet", "--out", str(tmp_path)]

    def makes(*more):
        assert main([*command, *more]) == 0
        said = capsys.readouterr()
        assert ("there already" in said.err) is not ("written" in said.out)
        return "written" in said.out

    assert [makes(), makes(), makes("--full"), makes("--full"), makes(), makes("--force")] == [True, False] * 2 + [
        True
    ] * 2
    assert [makes("--netcdf"), makes("--netcdf"), makes()] == [True, False, False]
    (tmp_path / "toy.csv").unlink()
    assert makes()
    (tmp_path / "toy.json").write_text("{", encoding="utf-8")
    assert makes()


def test_all_makes_all(monkeypatch, toy, tmp_path, capsys):
    monkeypatch.setattr(reproduce, "FIGURES", {"toy": FIGURES["toy"], "second": FIGURES["toy"]})
    assert main(["reproduce", "--all", "--out", str(tmp_path)]) == 0
    assert "[2/2] second\nsecond: compute, quick size" in capsys.readouterr().err
    assert {path.name for path in tmp_path.glob("*.png")} == {"toy.png", "second.png"}


def test_command_lists_and_refuses(toy, tmp_path, capsys):
    assert main(["reproduce", "--list"]) == 0
    listed = capsys.readouterr()
    assert "wang-taylor-1       Wang & Taylor, Fig. 1" in listed.out and len(listed.out.splitlines()) == len(FIGURES)
    assert main(["reproduce"]) == 0
    assert capsys.readouterr() == (listed.out, "Name the figures to make, or --all.\n")
    assert main(["reproduce", "nonsense", "--out", str(tmp_path)]) == 2
    assert "No figure is called nonsense. `python -m jaxtls reproduce --list` names them." in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["reproduce", "toy", "--quiet", "--out", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "xarray", None)
        assert main(["reproduce", "toy", "--netcdf", "--out", str(tmp_path)]) == 2
    assert "pip install 'jaxtls[store]'" in capsys.readouterr().err and not (tmp_path / "toy.png").exists()
    with pytest.raises(ValueError, match="`name` must be one of"):
        run("nonsense", tmp_path)


def test_arrays_lie_along_their_axes():
    data = {
        "a": np.arange(3.0),
        "b": np.arange(3.0) + 1,
        "map": np.arange(9.0),
        "line": np.ones(3),
        "level": np.ones(1),
    }
    data |= {
        "c": np.arange(4.0),
        "between": np.ones(2),
        "matrix": np.ones((3, 4)),
        "x": np.ones(4),
        "x_sem": np.ones(4),
    }
    found = to_dataset(data, {"a": "K", "b": "", "c": ""})
    dims = {name: found[name].dims for name in data}
    assert dims == {
        "a": ("a",), "b": ("b",), "map": ("a", "b"), "line": ("b",), "level": (), "c": ("c",),
        "between": ("between_0",), "matrix": ("b", "c"), "x": ("c",), "x_sem": ("c",),
    }  # fmt: skip
    assert_allclose(found["map"].sel(a=2, b=1), 6)
    assert found["a"].attrs == {"units": "K"} and found["x_sem"].attrs["long_name"] == "standard error of x"
