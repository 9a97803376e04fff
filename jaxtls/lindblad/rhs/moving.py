"""Makes the right-hand side on blocks where coefficients are functions of time: a set of arrays, combined each time.

    L(t) = L_0 + sum_g c_g(t) L_g

Each L_g is made once in the block form of `blocked`. An array of it that a group leaves empty, which is known from
patterns, takes no part in the sum, so that only what moves is put together anew.
"""

from __future__ import annotations

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..lindbladian import Lindbladian
from ..storage.family import Family, Skeleton
from .blocked import BlockField, BlockPlan, Numbers


@dataclasses.dataclass(frozen=True)
class Group:
    """Names one real coefficient: number `index` of the equation's, its real or its imaginary part."""

    index: int
    imaginary: bool = False


def groups_of(law: Lindbladian) -> tuple[Group, ...]:
    """Lists the real coefficients of an equation; imaginary parts only where an envelope has one."""
    found = [Group(0)]
    for k, envelope in enumerate(law.envelopes, 1):
        found.append(Group(k))
        value = jax.eval_shape(lambda t, envelope=envelope: jnp.asarray(envelope(t)), jnp.zeros((), law.rates.dtype))
        if jnp.issubdtype(value.dtype, jnp.complexfloating):
            found.append(Group(k, True))
    found += [Group(len(law.envelopes) + k) for k in range(1, len(law.jump_envelopes) + 1)]
    return tuple(found)


def with_parts(terms: Skeleton, groups: tuple[Group, ...]) -> Skeleton:
    """Gives the skeleton of H as it is once envelopes with imaginary parts have multiplied it."""
    return dataclasses.replace(terms, is_real=False) if any(g.imaginary for g in groups) else terms


def _share(numbers: Numbers, jump_groups: tuple[int, ...], group: Group) -> Numbers:
    """Take the numbers of one group alone."""
    terms, jumps, rates = numbers
    owners = np.arange(terms.count) if terms.owners is None else np.asarray(terms.owners, int)
    mask = (owners == group.index).astype(float)
    values = terms.values * mask.reshape(-1, *(1,) * (terms.values.ndim - 1))
    if group.imaginary:
        return Numbers(Family(1j * values, terms.skeleton), jumps, 0 * rates)
    mine = np.asarray(jump_groups, int) == group.index
    return Numbers(Family(values, terms.skeleton), jumps, rates * mine)


class MovingField(eqx.Module):
    """Moves by t, z -> L(t) z on the parts that `BlockPlan.split` gives."""

    fields: tuple[BlockField, ...]  # one for each group
    law: Lindbladian
    groups: tuple[Group, ...] = eqx.field(static=True)
    # For each array of a field the groups that fill it.
    filled: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    @classmethod
    def make(
        cls, plan: BlockPlan, law: Lindbladian, groups: tuple[Group, ...], filled: tuple, *, hermitian: bool
    ) -> MovingField:
        """Makes the arrays of all groups."""
        numbers = Numbers(law.terms, law.jumps, law.rates[: law.jumps.count])
        shares = [_share(numbers, law.groups, group) for group in groups]
        fields = tuple(plan.field(share, hermitian=hermitian).apart().ready() for share in shares)
        return cls(fields, law, groups, filled)

    def __call__(self, t: ArrayLike, z: PyTree) -> PyTree:
        found = self.law.coefficients(t)
        columns, structure = zip(*(jax.tree.flatten(field.arrays) for field in self.fields))
        leaves = []
        for place, owners in enumerate(self.filled):
            parts = [_times(found, self.groups[g], columns[g][place]) for g in owners]
            leaves.append(functools.reduce(jnp.add, parts) if parts else columns[0][place])
        return self.fields[0].with_arrays(jax.tree.unflatten(structure[0], leaves))(z)


def _times(coefficients: Array | None, group: Group, array: Array) -> Array:
    if group.index == 0 or coefficients is None:
        return array
    number = coefficients[group.index]
    return (number.imag if group.imaginary else number.real) * array


def filled_arrays(
    plan: BlockPlan,
    terms: Skeleton,
    jumps: Skeleton,
    jump_groups: tuple[int, ...],
    groups: tuple[Group, ...],
    hermitian: bool,
) -> tuple[tuple[int, ...], ...]:
    """Says which groups fill each array: found on numbers of the operators' patterns that no sum cancels."""
    numbers = Numbers(_generic(terms), _generic(jumps), 1.0 + np.arange(jumps.count))
    shares = [plan.field(_share(numbers, jump_groups, group), hermitian=hermitian).apart() for group in groups]
    flags = [jax.tree.leaves(share.nonzero()) for share in shares]
    return tuple(tuple(g for g, used in enumerate(flags) if used[k]) for k in range(len(flags[0])))


def _generic(skeleton: Skeleton) -> Family:
    mask = skeleton.pattern.mask
    numbers = np.random.default_rng(0).uniform(0.5, 1.5, (2, *mask.shape))
    values = numbers[0] if skeleton.is_real else numbers[0] + 1j * numbers[1]
    return Family((values * mask).astype(complex), skeleton)
