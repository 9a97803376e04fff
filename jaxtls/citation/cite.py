"""`cite` says what to cite for a model. The entries are in references.bib; `PAPERS` says which model rests on which."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from importlib.metadata import version

from .._nearest import did_you_mean

# Public names and the keys of the papers whose equations they solve: the paper of the system first.
PAPERS: dict[str, tuple[str, ...]] = {
    "BlochRedfield": ("bloch1957", "redfield1957"),
    "DampedOscillator": ("blacker2021",),
    "DiscreteSpectralDensity": ("schlosshauer2008", "feynman1963"),
    "EntropicSpring": ("wang2015",),
    "Fluctuators": ("machlup1954", "paladino2014"),
    "FluxQubit": ("blacker2021",),
    "Lindbladian": ("lindblad1976", "gorini1976"),
    "OhmicSpectralDensity": ("schlosshauer2008",),
    "PhaseQubit": ("blacker2021",),
    "ResonatorLoss": ("crowley2023", "gao2008", "martinis2005"),
    "ResonatorTrace": ("probst2015", "khalil2012"),
    "SpinBathOscillator": ("schlosshauer2008",),
    "TLSBath": ("muller2019", "klimov2018", "spiecker2023", "solomon1955"),
    "TLSGlass": ("artiaco2021", "fossfeig2013"),
    "TLSHeatedOscillator": ("schlosshauer2008",),
    "ThermalNetwork": ("diosi2014", "levy2014"),
    "TelegraphRecord": ("machlup1954", "paladino2014"),
    "TunnellingSolid": ("phillips1972", "anderson1972", "jackle1972", "phillips1987", "wang2015"),
}


def cite(model: object = None) -> str:
    """Gives BibTeX of the papers behind a model, and of jaxtls.

    Arguments:
        model: a model, its class, or its name; None: jaxtls alone. A class of yours that derives from a model of
            jaxtls is cited as that one.

    Returns:
        Entries for a .bib file, jaxtls last.

    Raises:
        ValueError: for anything else; the message lists the names.

    Example:
        >>> print(jt.cite("TLSHeatedOscillator").splitlines()[0])
        @article{schlosshauer2008,
    """
    keys = () if model is None else PAPERS[_name(model)]
    return "\n\n".join(entries()[key] for key in (*keys, "jaxtls"))


def _name(model: object) -> str:
    if isinstance(model, str):
        names = [model]
    else:
        names = [kind.__name__ for kind in (model if isinstance(model, type) else type(model)).__mro__]
    for name in names:
        if name in PAPERS:
            return name
    said = repr(model) if isinstance(model, str | int | float) else names[0]
    asked = did_you_mean(model, PAPERS) if isinstance(model, str) else ""
    fault = f"Argument `model` must be a model, its class or its name, but got {said}."
    raise ValueError(" ".join(filter(None, (fault, asked, f"There are {_names()}."))))


def _names() -> str:
    return ", ".join(sorted(PAPERS, key=str.lower))


@cache
def entries() -> dict[str, str]:
    """Gives the entries of references.bib by key."""
    text = resources.files(__package__).joinpath("references.bib").read_text(encoding="utf-8")
    found = re.findall(r"^(@\w+\{(\w+),.*?^\})", text.replace("VERSION", version("jaxtls")), re.M | re.S)
    return {key: entry for entry, key in found}
