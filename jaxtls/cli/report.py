"""Says what a fit found, as text for people and JSON for programs. Nothing here knows a model."""

from __future__ import annotations

import json
import math
import pathlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.quantity import Quantity as Quantity
from ..fitting import LikelihoodFit, entangled
from .faults import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WELL = 0.1  # relative error of what is called well determined


@dataclass(frozen=True)
class Report:
    """Reports one fit of one file.

    Arguments:
        title: what was fitted to what.
        model: the command's model name.
        fit: the result of `jt.fit` or `jt.fit_likelihood`.
        describe: unit and meaning of each free parameter.
        source: name, sha256 and rows of the data.
        derived: quantities computed from the fit, with errors.
        inputs: what was held fixed, or chosen, by the user.
        comparison: one line for each variant tried (dicts with the same keys), the chosen one marked.
        notes: sentences a reader must not miss.
        command: how it was called.
        verdict: a word that answers the question a reader came with, where there is one.
        verdict_text: its sentence.
        upper_limit: a limit where the verdict comes with one.
        doubts: sentences on the data that the text says first.
        used: (R,) rows of the data that were fitted; all where it is None.
        listed: what the text calls groups of many numbers, for which it has one line, and how their names begin.
    """

    title: str
    model: str
    fit: Any
    describe: dict[str, tuple[str, str]]
    source: dict[str, Any]
    derived: dict[str, Quantity]
    inputs: dict[str, Any]
    comparison: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    command: str = ""
    verdict: str = ""
    verdict_text: str = ""
    upper_limit: float | None = None
    doubts: list[str] = field(default_factory=list)
    used: np.ndarray | None = None
    listed: dict[str, str] = field(default_factory=dict)

    def parameters(self) -> dict[str, Quantity]:
        """Gives the free parameters, in the order of the covariance."""
        return {
            name: Quantity(float(value), float(error), *self.describe.get(name, ("", "")))
            for name, value, error in zip(
                self.fit.names, _scalars(self.fit.values), _scalars(self.fit.stderr), strict=True
            )
        }

    def in_units(self, units: Mapping[str, str]) -> Report:
        """Returns the same report with units by other names, where `units` has them."""
        describe = {name: (units.get(unit, unit), words) for name, (unit, words) in self.describe.items()}
        derived = {name: replace(one, unit=units.get(one.unit, one.unit)) for name, one in self.derived.items()}
        return replace(self, describe=describe, derived=derived)

    def blind_spots(self) -> list[str]:
        """Says what the data cannot determine: the fit's own finding, what is hardly separable, large errors."""
        parameters = self.parameters()
        groups = self._inseparable()
        spots = list(self.fit.identifiability.sentences(groups))
        if groups and (known := self._well_known({name for names, _ in groups for name in names})):
            spots.append(f"well determined is {known} = {self.derived[known]}")
        for name, quantity in parameters.items():
            share = _share(quantity)
            if 10 < share < math.inf:
                spots.append(f"{name} cannot be told from zero: its error is {quantity.stderr:.2g}")
            elif 0.5 < share < math.inf:
                spots.append(f"{name} is poorly known: its error is {100 * share:.0f} % of its value")
        return spots

    def _inseparable(self) -> list[tuple[tuple[str, ...], float]]:
        """Find groups of parameters that are strongly correlated; a long list counts as one parameter."""
        errors = np.array([quantity.stderr for quantity in self.parameters().values()], float)
        size = np.where((errors > 0) & np.isfinite(errors), errors, np.nan)
        return entangled(self._displayed(), np.asarray(self.fit.covariance) / np.outer(size, size))

    def _displayed(self) -> list[str]:
        """Name the parameters as the text does: those of a long list by the name of the list."""
        groups = {
            name: text for text, start in self.listed.items() for name in self.fit.names if name.startswith(start)
        }
        return [groups.get(name, name) for name in self.fit.names]

    def _well_known(self, names: set[str]) -> str:
        """Find the derived number of the least relative error, if it is far better known than these parameters."""
        parts = zip(self._displayed(), self.parameters().values(), strict=True)
        least = min(_share(quantity) or math.inf for name, quantity in parts if name in names)
        shares = {name: share for name, quantity in self.derived.items() if (share := _share(quantity)) > 0}
        best = min(shares, key=lambda name: shares[name], default="")
        return best if best and shares[best] < min(WELL, least / 2) else ""

    def text(self) -> str:
        """Gives the report as people read it."""
        fit = self.fit
        source = self.source
        lines = [
            self.title,
            f"data: {source['name']}, {source['rows']} rows, sha256 {source['sha256'][:12]}",
            *(f"check first: {doubt}" for doubt in self.doubts),
            "held: " + ", ".join(f"{name} = {_plain(value)}" for name, value in self.inputs.items()),
            "",
        ]
        if self.comparison:
            lines += [*_table(self.comparison), ""]
        if self.verdict_text:
            lines += [f"verdict: {self.verdict_text}", ""]
        lines += ["fitted", *self._fitted(), "", "derived", *quantity_lines(self.derived), ""]
        lines.append(_judged(fit))
        state = "converged" if bool(fit.success) else "NOT CONVERGED"
        lines.append(f"{state}: {fit.message}" if fit.message else state)
        lines += ["", "what the data cannot determine", *_indent("\n".join(self.blind_spots()))]
        if self.notes:
            lines += ["", "notes", *(line for note in self.notes for line in _indent(note))]
        return "\n".join(lines) + "\n"

    def _fitted(self) -> list[str]:
        """Give lines on the free parameters, the long lists last and short."""
        parameters = self.parameters()
        lists = {name: [k for k in parameters if k.startswith(start)] for name, start in self.listed.items()}
        long = {name for members in lists.values() for name in members}
        lines = quantity_lines({name: quantity for name, quantity in parameters.items() if name not in long})
        for name, members in lists.items():
            values = [parameters[k].value for k in members]
            errors = [e for k in members if (e := parameters[k].stderr) is not None and math.isfinite(e)]
            unit = parameters[members[0]].unit
            known = f"errors {min(errors):.2g} to {max(errors):.2g} {unit}" if errors else "none determined"
            lines.append(
                f"  {name}: {len(members)} values from {min(values):.6g} to {max(values):.6g} {unit}, {known}; "
                "report.json has them all"
            )
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Gives the report as plain Python numbers, lists and strings."""
        fit = self.fit
        parameters = self.parameters()
        return {
            "title": self.title,
            "model": self.model,
            "command": self.command,
            "input": self.source,
            "held": self.inputs,
            "parameters": list(parameters),
            "values": {name: quantity.value for name, quantity in parameters.items()},
            "stderr": {name: quantity.stderr for name, quantity in parameters.items()},
            "units": {name: quantity.unit for name, quantity in parameters.items()},
            "covariance": np.asarray(fit.covariance).tolist(),
            **(
                {"log_likelihood": float(fit.log_likelihood)}
                if isinstance(fit, LikelihoodFit)
                else {"chi2": float(fit.chi2), "dof": int(fit.dof)}
            ),
            "success": bool(fit.success),
            "message": str(fit.message),
            "derived": {
                name: {
                    "value": quantity.value,
                    "stderr": quantity.stderr,
                    "unit": quantity.unit,
                    "meaning": quantity.meaning,
                    **({} if quantity.interval is None else {"interval_68": list(quantity.interval)}),
                }
                for name, quantity in self.derived.items()
            },
            "identifiability": "; ".join(self.blind_spots()),
            "comparison": self.comparison,
            "verdict": self.verdict,
            "verdict_text": self.verdict_text,
            "upper_limit": self.upper_limit,
            "notes": [*self.doubts, *self.notes],
            "versions": versions(),
        }

    def write(self, folder: pathlib.Path, figure: Any) -> list[pathlib.Path]:
        """Write report.txt, report.json and fit.png into a folder, which is made; return their paths."""
        return written(folder, self.text(), self.to_dict(), figure)


def written(folder: pathlib.Path, text: str, content: dict[str, Any], figure: Figure) -> list[pathlib.Path]:
    """Writes report.txt, report.json and fit.png into a folder, which is made, and gives their paths.

    Raises:
        InputError: if the folder cannot be written.
    """
    paths = [folder / name for name in ("report.txt", "report.json", "fit.png")]
    # JSON has no NaN or infinity: what is not a finite number becomes null.
    numbers = json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths[0].write_text(text, encoding="utf-8")
        paths[1].write_text(numbers, encoding="utf-8")
        save(figure, paths[2])
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be written: {error.strerror}.") from None
    return paths


def save(figure: Figure, path: pathlib.Path) -> None:
    """Write a figure whose panels are laid out once: savefig would do so twice."""
    engine = figure.get_layout_engine()
    if engine is not None and figure.axes:
        engine.execute(figure)
    figure.set_layout_engine("none")
    figure.savefig(path)


def _share(quantity: Quantity) -> float:
    """Give the error over the value; 0 where one is not known."""
    return abs(quantity.stderr / quantity.value) if quantity.value and quantity.stderr else 0.0


def _scalars(fields: Mapping[str, Any]) -> np.ndarray:
    """List values of all fields, one after another."""
    return np.concatenate([np.ravel(np.asarray(value)) for value in fields.values()])


def _judged(fit: Any) -> str:
    """Say how well the fit describes the data."""
    if isinstance(fit, LikelihoodFit):
        return f"ln L = {float(fit.log_likelihood):.6g}, {len(fit.names)} free, AIC {float(fit.aic):.6g}"
    reduced = f", chi²/dof = {float(fit.chi2) / int(fit.dof):.3g}" if int(fit.dof) > 0 else ""
    return f"chi² = {float(fit.chi2):.4g}, {int(fit.dof)} degrees of freedom{reduced}"


def versions() -> dict[str, str]:
    """Gives versions of what computed the result."""
    packages = ("jaxtls", "jax", "jaxlib", "diffrax", "equinox", "optax", "numpy")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def quantity_lines(quantities: Mapping[str, Quantity]) -> list[str]:
    """Gives one line each: name, value with error, meaning."""
    width = max((len(name) for name in quantities), default=0)
    column = max((len(str(quantity)) for quantity in quantities.values()), default=0)
    lines = []
    for name, quantity in quantities.items():
        words = "; ".join(filter(None, (quantity.meaning, quantity.range_text())))
        lines.append(f"  {name:<{width}}  {quantity!s:<{column}}  {words}".rstrip())
    return lines


def _table(rows: list[dict[str, Any]]) -> list[str]:
    cells = [list(rows[0]), *([_plain(value) for value in row.values()] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _indent(text: str) -> list[str]:
    return ["  " + line for line in text.splitlines()]


def finite(tree: object) -> Any:
    """Returns the same tree with what is not a finite number as None."""
    if isinstance(tree, dict):
        return {key: finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree
