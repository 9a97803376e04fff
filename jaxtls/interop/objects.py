"""Takes states and operators of QuTiP and dynamiqs in and out. Their first subsystem is the slowest, as it is here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._checks import require
from ..lindblad.foreign import as_array, is_foreign


def to_array(value: Any) -> Array:
    """Gives a state or operator of QuTiP (`Qobj`) or dynamiqs (`QArray`) as a complex JAX array.

    `jt.mesolve`, `jt.Lindbladian` and their kin take such objects as they are, and so do measures (`jt.concurrence`).

    Arguments:
        value: a `Qobj`, a `QArray` or an array.

    Returns:
        (..., n, n) for operators and density matrices, (..., n) for kets, which the others keep as columns.

    Raises:
        ValueError: if it holds no numbers.

    Example:
        >>> to_array([[0, 1], [1, 0]]).shape  # and to_array(qutip.basis(2, 0)).shape is (2,)
        (2, 2)
    """
    array = jnp.asarray(as_array("value", value))
    is_column = is_foreign(value) and array.ndim >= 2 and array.shape[-1] == 1 < array.shape[-2]
    return array[..., 0] if is_column else array


def dims(value: Any) -> tuple[int, ...]:
    """Gives dimensions of the subsystems of a `Qobj` or `QArray`, as `jt.partial_trace` and `jt.negativity` take them.

    Arguments:
        value: a state or operator of QuTiP or dynamiqs.

    Returns:
        One int for each subsystem, the slowest first.

    Raises:
        ValueError: for anything without `dims`, a bra, and for superoperators.

    Example:
        >>> from types import SimpleNamespace
        >>> dims(SimpleNamespace(dims=[[2, 3], [2, 3]]))  # as dims(qutip.tensor(qutip.qeye(2), qutip.qeye(3)))
        (2, 3)
    """
    found: Any = getattr(value, "dims", None)
    require(found is not None, "value", "be a Qobj or a QArray", type(value).__name__)
    # QuTiP has one list for the rows and one for the columns, dynamiqs one tuple.
    rows = found[0] if np.ndim(found[0]) or isinstance(found[0], list) else found
    flat = all(isinstance(n, int | np.integer) for n in rows)
    require(flat, "value", "be a state or operator of subsystems", f"dims {found}", "Superoperators have no such dims.")
    return tuple(int(n) for n in rows)


def to_qutip(value: Any, dims: Sequence[int] | None = None) -> Any:
    """Gives an array as a QuTiP `Qobj`.

    Arguments:
        value: an operator or density matrix (n, n), a ket (n,), or (..., n, n): a list for each leading axis, as for
            `to_qutip(sol.states)`.
        dims: of the subsystems, the slowest first; one system by default.

    Returns:
        A `Qobj`, or nested lists of them.

    Raises:
        ValueError: for another shape, or dims whose product is not n.
        ImportError: where QuTiP is not installed.

    Example:
        >>> to_qutip(jt.fock_state(4, 1), dims=(2, 2)).dims  # doctest: +SKIP
        [[2, 2], [1]]
    """
    array = np.asarray(as_array("value", value))
    parts = _parts(array, dims)
    try:
        import qutip
    except ImportError as error:
        raise ImportError("to_qutip needs QuTiP: pip install qutip.") from error

    def convert(part: np.ndarray) -> Any:
        if part.ndim > 2:
            return [convert(inner) for inner in part]
        return qutip.Qobj(part, dims=[parts, parts if part.ndim == 2 else [1] * len(parts)])

    return convert(array)


def to_dynamiqs(value: Any, dims: Sequence[int] | None = None) -> Any:
    """Gives an array as a dynamiqs `QArray`, leading axes kept.

    Arguments:
        value: an operator or density matrix (..., n, n), or a ket (n,).
        dims: of the subsystems, the slowest first; one system by default.

    Returns:
        A dense `QArray`.

    Raises:
        ValueError: for another shape, or dims whose product is not n.
        ImportError: where dynamiqs is not installed.

    Example:
        >>> to_dynamiqs(jt.fock_state(4, 1), dims=(2, 2)).dims  # doctest: +SKIP
        (2, 2)
    """
    array = to_array(value)
    parts = _parts(array, dims)
    try:
        import dynamiqs
    except ImportError as error:
        raise ImportError("to_dynamiqs needs dynamiqs: pip install dynamiqs.") from error
    return dynamiqs.asqarray(array[:, None] if array.ndim == 1 else array, dims=tuple(parts))


def _parts(array: Any, dims: Sequence[int] | None) -> list[int]:
    """Give checked dimensions of the subsystems."""
    square = array.ndim == 1 or (array.ndim >= 2 and array.shape[-1] == array.shape[-2])
    require(square and array.size > 0, "value", "have shape (n,) or (..., n, n)", f"shape {array.shape}")
    n = array.shape[-1]
    parts = [n] if dims is None else [int(d) for d in dims]
    require(math.prod(parts) == n and min(parts) > 0, "dims", f"have the product {n}", dims)
    return parts
