"""Differentiates in the mode that costs less, or in the other where a function allows only that.

Custom rules and loops of unknown length can be differentiated in one mode only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def either(cheaper: Callable[[], T], other: Callable[[], T]) -> T:
    """Returns what the cheaper way gives, else the other's; raises the cheaper one's error where neither works.

    Example:
        >>> either(lambda: len(3), lambda: 3)
        3
    """
    try:
        return cheaper()
    except (TypeError, ValueError, NotImplementedError) as error:
        try:
            return other()
        except (TypeError, ValueError, NotImplementedError):
            raise error from None
