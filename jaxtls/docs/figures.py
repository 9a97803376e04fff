"""Tells what is known of each published figure: the findings that its file in `jaxtls.reproduce` states."""

from __future__ import annotations

import pathlib
import re

# Tables of figures that were drawn in full size: NAME.csv, columns and their standard errors.
FULL = pathlib.Path(__file__).parent / "pages" / "full"


def findings() -> str:
    """Makes a section for each figure, in Markdown: title and findings as its file has them.

    Example:
        >>> "## Findings" in findings()
        True
    """
    from ..reproduce import FIGURES

    parts = ["", "## Findings, figure by figure", ""]
    for name, module in FIGURES.items():
        title, _, text = (module.__doc__ or "").strip().partition("\n")
        parts += [f"### `{name}`", "", f"**{_plain(title)}**", "", _plain(text.strip()), ""]
        if (FULL / f"{name}.csv").is_file():
            told = "The numbers of the full size, with standard errors of what is an average"
            parts += [f"{told}: [{name}.csv](full/{name}.csv).", ""]
    return "\n".join(parts)


def _plain(text: str) -> str:
    r"""Give text as it is written, lists, tables and code apart: what else Markdown would take for marks is kept.

    Example:
        >>> print(_plain("a_b of `c_d`:\n- one"))
        a\_b of `c_d`:
        <BLANKLINE>
        - one
        >>> print(_plain("Of N:\n    a_b 1"))
        Of N:
        <BLANKLINE>
            a_b 1
    """
    parts = text.split("`")
    parts[::2] = [re.sub(r"([\\*_<>|$])", r"\\\1", part) for part in parts[::2]]
    found: list[str] = []
    for line in "`".join(parts).split("\n"):
        if line.startswith("    "):  # a table, as code
            apart = [] if found and found[-1].startswith("    ") else [""]
            found += [*apart, re.sub(r"\\([\\*_<>|$])", r"\1", line)]
            continue
        if found and found[-1].startswith("    "):
            found.append("")
        if line.startswith("- ") and not (found and found[-1].startswith(("- ", "  "))):
            found.append("")
        found.append(f"\\{line}" if line.startswith(("#", "+", "(")) else line)
    return "\n".join(found)
