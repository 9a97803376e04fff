"""Lists materials with published numbers, a source for each, and what they do and do not reproduce."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Holds arguments of `TunnellingSolid`, the source of each, and a note on their use.

    Attributes:
        parameters: argument -> value.
        sources: argument -> where it was published.
        strengths: the source's own C = Pbar gamma^2/(rho v^2), (longitudinal, transverse); not put in, but to be
            compared with `TunnellingSolid.tunnelling_strength`.
        note: what the numbers give, and do not.
        unconfirmed: arguments written down from memory of the source and not compared with it in print.
    """

    parameters: dict[str, float]
    sources: dict[str, str]
    strengths: tuple[float, float]
    note: str
    unconfirmed: tuple[str, ...] = ()


_TABLE = "J.-F. Berret & M. Meissner, Z. Phys. B 70, 65 (1988), table, row {}; gamma = (1/2) dDelta/dstrain"
_NAMES = ("gamma_l", "gamma_t", "v_l", "v_t", "density", "p_bar")
_FROM_MEMORY = (
    "From memory of the table, not compared with it in print: look the numbers up before you publish with them. They "
    "agree with one another, in that Pbar gamma^2/(rho v^2) gives both of the table's C to 10 %."
)


def _row(name: str, values: tuple[float, ...], strengths: tuple[float, float], note: str, *unconfirmed: str) -> Preset:
    sources = {argument: _TABLE.format(name) for argument in _NAMES}
    return Preset(dict(zip(_NAMES, values, strict=True)), sources, strengths, note, unconfirmed)


PRESETS: dict[str, Preset] = {
    "silica": _row(
        "a-SiO2", (1.04, 0.65, 5800.0, 3800.0, 2200.0, 8e44), (3.1e-4, 2.9e-4),
        "Vitreous silica. Gamma_max(kT) = 1.05e8 T^3 /s. Wang & Taylor, who cite the same table, state 2.86e8 T^3: "
        "no reachable parameters give that (gamma read as the full derivative gives 2.6e7); both gamma scaled by "
        "1.65 would. Their R_S of about 0.1 % is not reproduced either: these numbers give at most a few tenths of "
        "a percent. They do give the measured size of the linear specific heat, about 1e-3 J/(kg K^2).",
    ),
    "BK7": _row(
        "BK7", (0.96, 0.65, 6200.0, 3800.0, 2510.0, 1.1e45), (2.7e-4, 3.3e-4),
        f"Borosilicate crown glass. {_FROM_MEMORY} The density is that of Schott's data sheet of N-BK7, whose Young's "
        "modulus (82 GPa) and Poisson ratio (0.206) at room temperature give both v within 4 %.",
        "gamma_l", "gamma_t", "v_l", "v_t", "p_bar",
    ),
    "SF4": _row(
        "SF4", (0.72, 0.48, 3780.0, 2240.0, 4780.0, 1.1e45), (2.2e-4, 2.8e-4),
        f"Dense flint (lead) glass. {_FROM_MEMORY}",
        *_NAMES,
    ),
    "As2S3": _row(
        "As2S3", (0.26, 0.17, 2700.0, 1460.0, 3200.0, 2.0e45), (1.6e-4, 2.0e-4),
        f"Arsenic trisulphide glass. {_FROM_MEMORY} rho (v_l^2 - 4 v_t^2/3) is 14.2 GPa, where \"High-precision "
        "studies of the compressibility and relaxation of g-As2S3 glasses\" measures 13.5 GPa at room temperature.",
        *_NAMES,
    ),
    "PMMA": _row(
        "PMMA", (0.39, 0.27, 3150.0, 1570.0, 1180.0, 6e44), (2.0e-4, 3.7e-4),
        f"Polymethyl methacrylate (acrylic glass). {_FROM_MEMORY}",
        *_NAMES,
    ),
}  # fmt: skip
