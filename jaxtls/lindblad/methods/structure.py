"""Finds the form that a state takes: the window of states that are reached, its sectors, and how products are done."""

from __future__ import annotations

import dataclasses
import functools

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree

from ..._checks import is_traced, require
from ..._platform import platform
from ...dynamics.problem import Problem
from ..lindbladian import Lindbladian
from ..rhs.blocked import BlockPlan
from ..rhs.packed import PackedBlocks, PackedMatrix
from ..rhs.sectors import Blocks, blocks, distances
from ..rhs.whole import WholeMatrix
from ..storage.diagonals import Pattern
from ..storage.family import Skeleton

# A window is tried where more states than these are reached, and none is nearer than this to the farthest.
WINDOW_LEAST = 64
WINDOW_DISTANCE = 12
# Of so many reached states a share is tried first.
FIRST_LEAST, FIRST_SHARE = 40, 0.75
# The same on a GPU, where to compile a second set of loops takes longer than it saves.
FIRST_LEAST_GPU = 128
# Elements of shifted copies that take as long as an element's share of a product with an n x n matrix, over n.
COPY_COST = 0.5
MOST_COPIES = 256
MOST_ELEMENTS = 2**25
# Numbers that stand in a program where they are known; more are made as it runs.
MOST_CONSTANTS = 2**18


def filled_by(rho: PyTree) -> Pattern:
    """Marks where the state can differ from 0; of a varied one the derivative may fill what its value leaves empty."""
    return Pattern(np.ones(rho.shape, bool) if is_traced(rho) else np.asarray(rho) != 0)


ANEW = "Make it anew: jt.plan."


def of_equation(n: int, skeletons: tuple[Skeleton, Skeleton], state: PyTree, law: Lindbladian) -> None:
    """Refuse a plan of another dimension, or for other numbers of operators: it has no place for these."""
    levels = np.shape(state)[-1]
    require(levels == n, "plan", f"be one for states of {levels} levels", f"one for {n}", ANEW)
    counts = ((law.terms.count, skeletons[0].count), (law.jumps.count, skeletons[1].count))
    for what, (mine, planned) in zip(("terms of H", "jump operators"), counts):
        require(mine == planned, "plan", f"be one for {mine} {what}", f"one for {planned}", ANEW)


def for_states(form: BlockPlan | WholeMatrix, hermitian: bool) -> BlockPlan | WholeMatrix:
    """Gives the form for Hermitian states, which are half the numbers; itself for others."""
    if not hermitian:
        return form
    kind = PackedBlocks if isinstance(form, BlockPlan) else PackedMatrix
    return kind(**{field.name: getattr(form, field.name) for field in dataclasses.fields(form)})


def with_known(problem: Problem) -> Problem:
    """Gives the problem with NumPy's arrays in model and state; tracers, and functions of time, are left alone."""
    known = lambda leaf: np.asarray(leaf) if eqx.is_array(leaf) and not is_traced(leaf) else leaf
    return eqx.tree_at(lambda p: (p.model, p.y0), problem, jax.tree.map(known, (problem.model, problem.y0)))


def is_small(form: BlockPlan | WholeMatrix) -> bool:
    """Says whether the numbers of an equation may stand in a program."""
    return not isinstance(form, BlockPlan) or form.copies <= MOST_CONSTANTS


def _window(far: np.ndarray, attempt: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Pick the states kept in an attempt, ascending, and which of them are at the edge; None where all are kept."""
    reached = np.nonzero(far >= 0)[0]
    farthest = int(np.max(far))
    if len(reached) <= WINDOW_LEAST or farthest < WINDOW_DISTANCE:
        return reached, None
    target = max(3 * WINDOW_LEAST // 4, len(reached) // 8) * 2**attempt
    within = np.cumsum(np.bincount(far[reached]))
    radius = int(np.searchsorted(within, target))
    if radius >= farthest - 1:
        return reached, None
    return np.nonzero((far >= 0) & (far <= radius))[0], far >= radius - 1


def _form(terms: Skeleton, jumps: Skeleton, found: Blocks) -> BlockPlan | WholeMatrix:
    if _diagonal_pairs(jumps) * len(found.pairs) * found.size**2 > MOST_ELEMENTS:
        # Operators without zeros: even listing the pairs would take n^4.
        return WholeMatrix(len(found.block))
    plan = BlockPlan.make(terms, jumps, found)
    pairs, m, n = len(found.pairs), found.size, plan.n
    elements = plan.terms[0].shape[0] * pairs * m * m
    cheap = COPY_COST * plan.copies <= max(jumps.count, 1) * n**3 / 8
    if cheap and len(plan.groups) <= MOST_COPIES and elements <= MOST_ELEMENTS:
        return plan
    return WholeMatrix(n)


def _diagonal_pairs(jumps: Skeleton) -> int:
    """Count the pairs of diagonals that belong to one jump, over all jumps: shifted copies at most."""
    entries = jumps.entries()
    found = np.unique(np.stack([entries.owner, entries.column - entries.row]), axis=1)
    return int(np.sum(np.bincount(found[0]) ** 2)) if found.size else 0


@functools.lru_cache(maxsize=128)
def structure(
    terms: Skeleton, jumps: Skeleton, filled: Pattern, window: int | None
) -> tuple[BlockPlan | WholeMatrix, Blocks, np.ndarray | None, int]:
    """Finds the form, its blocks, which states are at the edge of the window, and how many are kept."""
    n = filled.mask.shape[0]
    far = distances(terms.entries(), jumps.entries(), n, filled.mask)
    kept, edge = (np.nonzero(far >= 0)[0], None) if window is None else _window(far, window)
    found = blocks(terms.entries(), jumps.entries(), jumps.count, n, filled.mask, kept)
    form = _form(terms, jumps, found)
    return form, found, edge if isinstance(form, BlockPlan) else None, len(kept)


Window = tuple[BlockPlan, Blocks, np.ndarray, int]


def first_window(terms: Skeleton, jumps: Skeleton, filled: Pattern) -> Window | None:
    """Finds the same of the part of the states that a program tries first; None: they are few, or near each other."""
    return _first_window(terms, jumps, filled, FIRST_LEAST if platform() == "cpu" else FIRST_LEAST_GPU)


@functools.lru_cache(maxsize=128)
def _first_window(terms: Skeleton, jumps: Skeleton, filled: Pattern, least: int) -> Window | None:
    n = filled.mask.shape[0]
    far = distances(terms.entries(), jumps.entries(), n, filled.mask)
    reached, farthest = np.nonzero(far >= 0)[0], int(np.max(far))
    radius = int(np.searchsorted(np.cumsum(np.bincount(far[reached])), FIRST_SHARE * len(reached)))
    if len(reached) < least or farthest < WINDOW_DISTANCE or radius >= farthest - 1:
        return None
    kept = np.nonzero((far >= 0) & (far <= radius))[0]
    found = blocks(terms.entries(), jumps.entries(), jumps.count, n, filled.mask, kept)
    form = _form(terms, jumps, found)
    return (form, found, far >= radius - 1, len(kept)) if isinstance(form, BlockPlan) else None
