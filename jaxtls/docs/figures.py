"""What is known of each published figure: the findings that its file in `jaxtls.reproduce` states."""

from __future__ import annotations


def findings() -> str:
    """A section for each figure, in Markdown: title and findings as its file has them.

    Example:
        >>> "## Findings" in findings()
        True
    """
    from ..reproduce import FIGURES

    parts = ["", "## Findings, figure by figure", ""]
    for name, module in FIGURES.items():
        title, _, text = (module.__doc__ or "").strip().partition("\n")
        parts += [f"### `{name}`", "", f"**{_plain(title)}**", "", _plain(text.strip()), ""]
    return "\n".join(parts)


def _plain(text: str) -> str:
    """Text as it is written: what Markdown would take for marks is kept."""
    for mark in ("\\", "*", "_", "<", ">", "|", "$"):
        text = text.replace(mark, f"\\{mark}")
    return "\n".join(f"\\{line}" if line.startswith(("#", "-", "+", "(")) else line for line in text.split("\n"))
