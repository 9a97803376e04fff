"""Gives sums of shifted copies with weights, as a JAX primitive: out_ij = sum_p w_p,ij z_(i+d_p, j+e_p).

Autodiff of slices would add up padded arrays, which XLA runs several times slower than slices of one padded array. The
transpose in z is again such a sum, with shifts (-d, -e) and the weights moved along; those are made once, by `moved`,
and handed over as `back`. Derivatives of every order follow, because `back` carries its own.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array

from ...numerics.namespace import namespace

Shifts = tuple[tuple[int, int], ...]


def shifted_sum(weights: Sequence[Any], back: Sequence[Any], z: Any, shifts: Shifts) -> Array:
    """Sums weights[p] * z shifted by shifts[p] over p.

    Arguments:
        weights: K of (..., m, m), 0 where the shift leaves the matrix; not one array, whose slope would be put together
            anew at each step of a loop. An axis along which nothing is shifted may have length 1.
        back: `moved(weights, shifts)`.
        z: (..., m, m); leading axes broadcast against those of the weights.
        shifts: K of (rows, columns).

    Returns:
        The sum, of the shape of z.
    """
    return shifted_sum_p.bind(*weights, *back, z, shifts=shifts)


def moved(weights: Sequence[Any], shifts: Shifts) -> tuple[Any, ...]:
    """Gives the weights of the transposed sum: w_p at (i - d, j - e)."""
    return tuple(_copies(w, ((-d, -e),))[0] for w, (d, e) in zip(weights, shifts))


def reach(shifts: Shifts) -> tuple[np.ndarray, np.ndarray]:
    """Counts rows and columns by which shifts leave the matrix at its low and at its high end."""
    places = np.asarray(shifts, int)
    return np.maximum(0, -places.min(0)), np.maximum(0, places.max(0))


def _negative(shifts: Shifts) -> Shifts:
    return tuple((-d, -e) for d, e in shifts)


def _slice(padded: Any, low: np.ndarray, shift: tuple[int, int], shape: tuple[int, ...]) -> Any:
    i, j = (int(a) + b for a, b in zip(low, shift))
    return padded[..., i : i + shape[-2], j : j + shape[-1]]


def _copies(z: Any, shifts: Shifts) -> list[Any]:
    low, high = reach(shifts)
    padded = namespace(z).pad(z, [(0, 0)] * (z.ndim - 2) + list(zip(low, high)))
    return [_slice(padded, low, shift, z.shape) for shift in shifts]


def _split(operands: Sequence[Any], shifts: Shifts) -> tuple[Sequence[Any], Sequence[Any], Any]:
    count = len(shifts)
    return operands[:count], operands[count : 2 * count], operands[-1]


def _evaluated(*operands: Any, shifts: Shifts) -> Any:
    weights, _, z = _split(operands, shifts)
    return functools.reduce(operator.add, [w * copy for w, copy in zip(weights, _copies(z, shifts))])


def _shape(*operands: Any, shifts: Shifts) -> Any:
    weights, _, z = _split(operands, shifts)
    return z.update(shape=np.broadcast_shapes(*(w.shape for w in weights), z.shape))


def _jvp(primals: tuple, tangents: tuple, *, shifts: Shifts) -> tuple:
    count = len(shifts)
    weights, back, z = _split(primals, shifts)
    out = shifted_sum(weights, back, z, shifts)
    parts = []
    if type(tangents[-1]) is not ad.Zero:
        parts.append(shifted_sum(weights, back, tangents[-1], shifts))
    varied = [k for k in range(count) if type(tangents[k]) is not ad.Zero]
    if varied:
        d_back = [ad.instantiate_zeros(tangents[count + k]) for k in varied]
        parts.append(shifted_sum([tangents[k] for k in varied], d_back, z, tuple(shifts[k] for k in varied)))
    return out, functools.reduce(operator.add, parts) if parts else jnp.zeros_like(out)


def _transpose(ct: Any, *operands: Any, shifts: Shifts) -> list:
    found = [None] * len(operands)
    if type(ct) is ad.Zero:
        return found
    weights, back, z = _split(operands, shifts)
    if ad.is_undefined_primal(z):
        found[-1] = _summed(shifted_sum(back, weights, ct, _negative(shifts)), z.aval.shape)
        return found
    for k, (w, copy) in enumerate(zip(weights, _copies(z, shifts))):
        found[k] = _summed(ct * copy, w.aval.shape)
    return found


def _summed(found: Any, shape: tuple[int, ...]) -> Any:
    """Sums over the axes along which an operand was broadcast."""
    axes = tuple(k for k, (a, b) in enumerate(zip(found.shape, shape)) if a != b)
    return jnp.sum(found, axes, keepdims=True) if axes else found


def _batched(operands: tuple, dims: tuple, *, shifts: Shifts) -> tuple[Any, int]:
    placed = [jnp.expand_dims(x, 0) if dim is None else jnp.moveaxis(x, dim, 0) for x, dim in zip(operands, dims)]
    return shifted_sum_p.bind(*placed, shifts=shifts), 0


shifted_sum_p = Primitive("shifted_sum")
shifted_sum_p.def_impl(jax.jit(_evaluated, static_argnames="shifts"))
shifted_sum_p.def_abstract_eval(_shape)
ad.primitive_jvps[shifted_sum_p] = _jvp
ad.primitive_transposes[shifted_sum_p] = _transpose
batching.primitive_batchers[shifted_sum_p] = _batched
mlir.register_lowering(shifted_sum_p, mlir.lower_fun(_evaluated, multiple_results=False))
