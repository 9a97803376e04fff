"""Writes the pages of the reference: one for each model, one for each other topic, and no public name left out."""

from __future__ import annotations

import inspect
import pathlib

import jaxtls

from .docstrings import inline

MODELS = (
    "EntropicSpring", "SpinBathOscillator", "OhmicSpectralDensity", "DiscreteSpectralDensity", "TLSHeatedOscillator",
    "TunnellingSolid", "ResonatorLoss", "ResonatorTrace", "Fluctuators", "TLSBath", "ThermalNetwork", "TLSGlass",
    "DampedOscillator", "PhaseQubit", "FluxQubit", "AbstractModel",
)  # fmt: skip
TOPICS = {
    "equations": (
        "Lindblad and Redfield equations",
        "mesolve sesolve steady_state periodic_steady_state propagator correlation spectrum counting_statistics "
        "CountingStatistics trajectories Lindbladian BlochRedfield AbstractGenerator local modulated "
        "piecewise_constant sampled MatrixExponential Faber",
    ),
    "dynamics": ("Motion, plans and solutions", "evolve plan Plan Solution Splitting StrangSolver"),
    "ensembles": ("Averages over disorder, and sweeps", "ensemble merge EnsembleResult sweep"),
    "fits": (
        "Fits",
        "fit fit_likelihood fit_power_law propagate FitResult LikelihoodFit PowerLaw Positive Interval Real Fixed",
    ),
    "resonators": (
        "From measured traces to a verdict",
        "fit_traces fit_trace read_trace analyse_resonator combine_resonators TraceFit TraceTable Trace "
        "ResonatorAnalysis ResonatorGroup photon_number",
    ),
    "more": (
        "Beside the models",
        "NetworkBalance TelegraphRecord random_bloch_vectors random_state_concurrence fit_random_states discretize "
        "exact_bath_moments constant_rate_moments weak_coupling_rates thermal_occupation",
    ),
    "measures": (
        "States and measures",
        "expect fidelity purity von_neumann_entropy relative_entropy partial_trace concurrence negativity wigner "
        "coherent_state fock_state thermal_state",
    ),
    "files": ("Files and citations", "save load cite"),
}
ROOMS = {"quantum": "Operators and states", "plot": "Pictures", "interop": "Other libraries"}


def write(folder: pathlib.Path) -> None:
    """Write the pages."""
    (folder / "models").mkdir(parents=True)
    topics = {name: (title, names.split()) for name, (title, names) in TOPICS.items()}
    known = {*MODELS, *(name for _, names in topics.values() for name in names)}
    others = [name for name in public() if name not in known]
    if others:
        topics["others"] = ("Others", others)
    parts = []
    for name in MODELS:
        (folder / "models" / f"{name}.rst").write_text(_page(name, [f"jaxtls.{name}"]), encoding="utf-8")
    parts.append(_listed("Models", [(f"models/{name}", name) for name in MODELS]))
    for page, (title, names) in topics.items():
        (folder / f"{page}.rst").write_text(_page(title, [f"jaxtls.{name}" for name in names]), encoding="utf-8")
    parts.append(_listed("By topic", [(page, title) for page, (title, _) in topics.items()]))
    for room, title in ROOMS.items():
        names = [f"jaxtls.{room}.{name}" for name in functions(room)]
        (folder / f"{room}.rst").write_text(_page(f"{title}: jt.{room}", names), encoding="utf-8")
    parts.append(_listed("Rooms", [(room, f"{title}: jt.{room}") for room, title in ROOMS.items()]))
    (folder / "index.rst").write_text("\n".join([_title("Reference"), _table(sorted(public(), key=str.lower)), *parts]))


def public() -> list[str]:
    """Lists the names of jaxtls that are no modules.

    Example:
        >>> "EntropicSpring" in public()
        True
    """
    return [n for n, value in vars(jaxtls).items() if not n.startswith("_") and not inspect.ismodule(value)]


def functions(room: str) -> list[str]:
    """Lists public functions of jt.quantum and the like that are not names of jt too, as those are documented there."""
    return [
        name
        for name, value in vars(getattr(jaxtls, room)).items()
        if inspect.isfunction(value) and not name.startswith("_") and name not in vars(jaxtls)
    ]


def summary(name: str) -> str:
    """Returns the first line of a public name's docstring, as reStructuredText."""
    return inline((inspect.getdoc(getattr(jaxtls, name)) or "").strip().split("\n")[0])


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n"


def _page(title: str, names: list[str]) -> str:
    return "\n".join([_title(title), *map(_entry, names)])


def _entry(name: str) -> str:
    value: object = jaxtls
    for part in name.split(".")[1:]:
        value = vars(value)[part]
    if inspect.isclass(value):
        return f".. autoclass:: {name}\n   :members:\n   :inherited-members: Module, AbstractModel, AbstractMethod\n"
    return f".. autofunction:: {name}\n"


def _listed(title: str, pages: list[tuple[str, str]]) -> str:
    lines = "\n".join(f"   {title} <{page}>" for page, title in pages)
    return f".. toctree::\n   :hidden:\n   :caption: {title}\n\n{lines}\n"


def _table(names: list[str]) -> str:
    rows = "\n".join(f"   * - :py:obj:`jt.{name} <jaxtls.{name}>`\n     - {summary(name)}" for name in names)
    return f".. list-table::\n   :widths: 30 70\n   :class: names\n\n{rows}\n"
