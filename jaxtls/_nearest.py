"""Asks whether a name that is unknown was meant to be one that is known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Gives a question with the known name that looks most alike, whatever the case of its letters; "" if none does.

    Example:
        >>> did_you_mean("artiaco3", ["artiaco-3", "cho-t1"]), did_you_mean("zebra", ["artiaco-3"])
        ('Did you mean artiaco-3?', '')
    """
    plain = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), plain, n=1)
    return f"Did you mean {plain[found[0]]}?" if found else ""
