"""Draws an ellipse around the spectrum of a constant Lindbladian, from norms of its parts.

With Gamma = sum_k r_k L_k† L_k and Gamma' = sum_k r_k L_k L_k†, the jumps move a matrix by at most
j = sqrt(|Gamma| |Gamma'|) in the Frobenius norm, so eigenvalues have real parts in [-|Gamma| - j, 0] and imaginary ones
within the spread of H, give or take a share of j.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np

from ...dynamics.faber import Ellipse
from ...numerics import lapack, products
from ...numerics.namespace import namespace
from ..lindbladian import Lindbladian
from .sectors import Blocks

# Sectors up to this size are diagonalised; of larger ones Gershgorin's circles are taken.
DIAGONALISED = 256
# Share of j by which the spectrum is let stand out on both sides, where j comes from sums, which are large.
STRAY = 0.3


def spectral_ellipse(model: Lindbladian, blocks: Blocks, shortest: Any) -> Ellipse:
    """Finds it for NumPy numbers or traced ones; `shortest` is a width so small that it costs nothing, for L = 0."""
    v, rates = model.jumps.values, model.rates
    xp = namespace(v, rates)
    entries = model.jumps.entries()
    inside = (blocks.block[entries.row] >= 0) & (blocks.block[entries.column] >= 0)
    owner, row, column, place = (part[inside] for part in entries)
    size = xp.abs(v.reshape(-1)[place])
    # Sums of elements are the norms themselves where each row or column of a jump has one element.
    if max(_most(owner * model.n + row), _most(owner * model.n + column)) > 1 and model.n <= DIAGONALISED:
        damping, gain = _norms(xp, model, (owner, row, column, place))
        stray = 1.0
    else:
        stray = STRAY
        weighted = rates[owner] * size
        along_rows = _sums(xp, owner * model.n + row, size, max(model.jumps.count, 1) * model.n)
        along_columns = _sums(xp, owner * model.n + column, size, max(model.jumps.count, 1) * model.n)
        damping = xp.max(_sums(xp, column, weighted * along_rows[owner * model.n + row], model.n))
        gain = xp.max(_sums(xp, row, weighted * along_columns[owner * model.n + column], model.n))
    jump = xp.sqrt(damping * gain)
    width = _spread(model, blocks) + stray * jump
    return Ellipse(damping + jump, namespace(width, shortest).maximum(width, shortest))


def _most(keys: np.ndarray) -> int:
    """Count how often the most frequent one occurs."""
    return int(np.max(np.bincount(keys), initial=0))


def _norms(xp: ModuleType, model: Lindbladian, entries: tuple[np.ndarray, ...]) -> tuple[Any, Any]:
    """Bound |Gamma| and |Gamma'|."""
    owner, row, column, place = entries
    values, shape = model.jumps.values.reshape(-1)[place], (model.jumps.count, model.n, model.n)
    where = (owner * model.n + row) * model.n + column
    real, imag = (_sums(xp, where, part, int(np.prod(shape))).reshape(shape) for part in (values.real, values.imag))
    jumps = xp.sqrt(model.rates[: model.jumps.count])[:, None, None] * (real + 1j * imag)
    einsum = np.einsum if xp is np else products.einsum
    lost, gained = einsum("kji,kjl->il", jumps.conj(), jumps), einsum("kij,klj->il", jumps, jumps.conj())
    return tuple(xp.maximum(_energies(xp, found)[-1], 0.0) for found in (lost, gained))


def _spread(model: Lindbladian, blocks: Blocks) -> Any:
    """Return the largest difference of two eigenvalues of H between which there is a block of kept states."""
    entries, values = model.terms.entries(), model.terms.values.reshape(-1)
    xp, m = namespace(values), blocks.size
    inside = (blocks.block[entries.row] >= 0) & (blocks.block[entries.column] >= 0)
    _, row, column, place = (part[inside] for part in entries)
    if m <= DIAGONALISED:
        # A constant H is one operator: each element is one of its values, or 0, the one behind the last.
        where = np.full((*blocks.states.shape, m), values.shape[0])
        where[blocks.block[row], blocks.place[row], blocks.place[column]] = place
        known = values.real if model.terms.skeleton.is_real else values
        energies = _energies(xp, xp.pad(known, (0, 1))[where])
        # Ascending in each sector; padding adds levels at 0, which may lie outside. Those of a block turn together.
        first, second = blocks.pairs.T
        return xp.max(energies[first, -1] - energies[second, 0])
    values = values[place]
    centres = _sums(xp, row, xp.where(row == column, values.real, 0.0), model.n)
    radii = _sums(xp, row, xp.where(row == column, 0.0, xp.abs(values)), model.n)
    kept = blocks.block >= 0
    return xp.max((centres + radii)[kept]) - xp.min((centres - radii)[kept])


def _energies(xp: ModuleType, matrices: Any) -> Any:
    return np.linalg.eigvalsh(matrices) if xp is np else lapack.eigvalsh(matrices)


def _sums(xp: ModuleType, index: np.ndarray, values: Any, size: int) -> Any:
    if xp is np:
        return np.bincount(index, values, size)
    return jnp.zeros(size, values.dtype).at[index].add(values)
