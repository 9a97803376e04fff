"""Holds what an ensemble found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .._checks import SINGLE, precision_of, require
from .program import MOST, Program
from .statistics import Stream


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EnsembleResult:
    r"""Holds mean and standard error over realizations, and how they were made.

    $$\bar x = \frac1n \sum_i x_i, \quad \mathrm{std}^2 = \frac{1}{n-1} \sum_i |x_i - \bar x|^2, \quad
      \mathrm{sem} = \mathrm{std} / \sqrt n$$

    over the n = `count` realizations that are finite, in double precision whatever the precision of x.

    Arguments:
        mean: the pytree that the realization returns; complex where it is complex.
        std: standard deviation of one realization, same pytree, real; nan for fewer than two.
        sem: standard error of the mean, same pytree, real.
        count: realizations averaged.
        failed_indices: those with a value that is not finite, left out of the average.
        target_error: the target, or None.
        target_reached: whether the largest `sem` met it.
        batch_size: realizations computed at a time, by all devices together; 0 if all were in the store.
        memory: bytes that such a batch takes on one device.
        devices: that computed them here; () where other processes did.
        n: number of realizations asked for; of the part, where it is one.
        part: (k, K) where these are the realizations of part k of K alone, or None.
        store: where the values of every realization are, or None.
        key: the key of the ensemble.
        names: of the leaves, from their paths in the pytree.
        program: the traced realization; None where `jt.merge` was not given it.
        damaged: parts that `jt.merge(store, partial=True)` could not read and left out: which file, and what to do.

    Example:
        >>> r = jt.ensemble(lambda key: {"x": jax.random.normal(key)}, jax.random.key(0), 1000, batch_size=250)
        >>> r.count, r.failed, abs(float(r.mean["x"])) < 4 * float(r.sem["x"])
        (1000, 0, True)
        >>> sorted(r.realization(3))
        ['x']
    """

    mean: PyTree[Array]
    std: PyTree[Array]
    sem: PyTree[Array]
    count: int
    failed_indices: tuple[int, ...]
    target_error: float | None
    target_reached: bool
    batch_size: int
    memory: int
    devices: tuple[jax.Device, ...]
    n: int
    part: tuple[int, int] | None
    store: Path | None
    key: Array
    names: tuple[str, ...]
    program: Program | None = dataclasses.field(repr=False)
    damaged: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        """Counts realizations left out because a value is not finite."""
        return len(self.failed_indices)

    @property
    def tried(self) -> int:
        """Counts realizations computed: those averaged and those failed."""
        return self.count + self.failed

    @property
    def precision(self) -> str:
        """Says "single" or "double": of the numbers that were computed with."""
        return precision_of(self.mean)

    def realization(self, i: int) -> PyTree[Array]:
        """Compute realization i again, also one that failed or was not part of the average.

        Arguments:
            i: its index, from 0.

        Returns:
            What the user's function returns for `jax.random.fold_in(key, i)`.

        Raises:
            ValueError: for a bad index, or where `jt.merge` was not given the function.
        """
        if self.program is None:
            raise ValueError(
                "A store holds no functions: jt.merge(store, realization=...) makes r.realization(i) work."
            )
        is_index = isinstance(i, int | np.integer) and not isinstance(i, bool) and 0 <= i < MOST
        require(is_index, "i", f"be an index, 0 <= i < {MOST}", repr(i))
        return self.program.tree(self.program.one(self.key, jnp.uint32(i)))

    def __repr__(self) -> str:
        left_out = f", {self.failed} left out (not finite)" if self.failed else ""
        some = f"; {self.tried} of {self.n} asked for" if self.tried < self.n else ""
        lines = [f"EnsembleResult: {self.count} realizations{left_out}{some}"]
        errors, means = jax.tree.leaves(self.sem), jax.tree.leaves(self.mean)
        width = max(len(name) for name in self.names)
        for name, mean, error in list(zip(self.names, means, errors))[:20]:
            lines.append(f"  {name:<{width}}  {_summary(np.asarray(mean), np.asarray(error))}")
        if len(means) > 20:
            lines.append(f"  ... {len(means) - 20} more")
        if self.failed:
            shown = ", ".join(str(i) for i in self.failed_indices[:8])
            lines.append(f"  failed       {shown}{', ...' if self.failed > 8 else ''}: see r.realization(i)")
        if self.target_error is not None:
            met = "reached" if self.target_reached else "NOT reached: raise n"
            lines.append(f"  target       sem {self.target_error:.3g} {met}")
        if self.batch_size:
            kind = self.devices[0].platform
            lines.append(
                f"  batches      of {self.batch_size} on {len(self.devices)} {kind} device"
                f"{'s' if len(self.devices) > 1 else ''}; {self.memory / 2**20:.3g} MiB a device"
            )
        if self.precision == "single":
            lines.append(f"  {SINGLE}")
        if self.part is not None:
            lines.append(f"  part         {self.part[0]} of {self.part[1]}, counted from 0")
        lines += [f"  left out     {said}" for said in self.damaged]
        if self.store is not None:
            lines.append(f"  store        {self.store}")
        return "\n".join(lines)


def concluded(
    stream: Stream, failed: Sequence[int], planted: Callable[[Sequence[Array]], PyTree[Array]], **rest: Any
) -> EnsembleResult:
    """Gives the result of what a stream took, in the user's pytree and the session's precision."""
    moments = stream.total()
    kinds = {"f": jnp.result_type(float), "c": jnp.result_type(complex)}
    means = moments.mean if moments.count else [np.full_like(mean, np.nan) for mean in moments.mean]
    rows = (means, moments.std(), moments.sem())
    mean, std, sem = (planted([jnp.asarray(leaf, kinds[leaf.dtype.kind]) for leaf in row]) for row in rows)
    return EnsembleResult(
        mean=mean,
        std=std,
        sem=sem,
        count=moments.count,
        failed_indices=tuple(failed),
        target_error=stream.target,
        target_reached=stream.reached or (stream.target is not None and moments.largest_sem() <= stream.target),
        **rest,
    )


def _summary(mean: np.ndarray, error: np.ndarray) -> str:
    if mean.ndim == 0:
        return f"{mean:.6g} ± {error:.2g}"
    if mean.size == 0:
        return f"{mean.shape}"
    size = np.abs(mean)
    what = "|mean|" if np.iscomplexobj(mean) or mean.min() < 0 else "mean"
    return f"{mean.shape}, {what} {size.min():.3g} .. {size.max():.3g}, sem up to {error.max():.2g}"
