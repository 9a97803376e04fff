"""Gives a linear function a transpose of its own, as a JAX primitive: vmap of gradients and forward mode work.

A derivative rule in `custom_jvp` serves jax.jvp and, transposed by JAX, jax.grad. What JAX transposes must then be
made of bounded loops, which compute all of their turns or keep the numbers of all. Here the linear part is one
primitive that is run by `apply` and transposed by `back`, so each mode takes the loop that is best for it.
(`jax.custom_derivatives.linear_call` does the same, without vmap.) Gradients took 12 times their run (spring), 17
(heated oscillator), 22 (Kerr) by JAX's transposes, and take 3 to 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import PyTree

# known numbers, linear arguments -> results; known numbers, cotangents of the results -> of the arguments.
Linear = Callable[[PyTree, PyTree], PyTree]


def linear(
    apply: Linear,
    back: Linear,
    known: PyTree,
    moved: PyTree,
    *,
    again: tuple[Linear, Linear],
    apart: bool = False,
    like: PyTree = None,
) -> PyTree:
    """Computes apply(known, moved), linear in `moved`, with `back(known, cotangent)` as its transpose.

    Arguments:
        apply, back: functions of pytrees; what loops they use is their own affair. A cotangent that is zero by
            construction is None, so that `back` has nothing to do for it.
        known, moved: pytrees of arrays.
        again: the same two in a form that JAX differentiates, for derivatives of the second order.
        apart: whether the lanes of a vmap run one after the other.
        like: arrays as `apply` gives them, where they are known: it need not be traced to learn that.

    Returns:
        What `apply` gives.

    Example:
        >>> triple = lambda a, x: a * x
        >>> float(jax.grad(lambda x: linear(triple, triple, jnp.asarray(3.0), x, again=(triple, triple)))(1.0))
        3.0
    """
    held, held_tree = jax.tree.flatten(known)
    given, given_tree = jax.tree.flatten(moved)
    outs, out_tree = jax.tree.flatten(jax.eval_shape(apply, known, moved) if like is None else like)

    def flat(f: Linear, tree: PyTree) -> Callable[..., list]:
        parted = lambda a: (jax.tree.unflatten(held_tree, a[: len(held)]), jax.tree.unflatten(tree, a[len(held) :]))
        return lambda *a: jax.tree.leaves(f(*parted(a)))

    def filled(f: Callable[..., list]) -> Callable[..., list]:
        # As the transpose of its transpose a function may be asked with arguments that are zero by construction.
        zero = lambda x, like: jnp.zeros(like.shape, like.dtype) if x is None else x
        return lambda *a: f(*a[: len(held)], *map(zero, a[len(held) :], shapes[0]))

    shapes = _shaped(given), _shaped(outs)
    both = [(filled(flat(f, given_tree)), flat(g, out_tree)) for f, g in ((apply, back), again)]
    found = linear_p.bind(*held, *given, rules=Rules(len(held), *both[0], *both[1], *shapes, apart))
    return jax.tree.unflatten(out_tree, found)


def mapped(f: Callable[..., PyTree], axes: Sequence[int | None], arguments: Sequence[PyTree]) -> PyTree:
    """Maps `f` over each place along the axes, one after the other."""
    moving = [jnp.moveaxis(x, d, 0) for x, d in zip(arguments, axes) if d is not None]

    def one(here: list) -> PyTree:
        left = iter(here)
        return f(*(x if d is None else next(left) for x, d in zip(arguments, axes)))

    return jax.lax.map(one, moving)


def _shaped(arrays: Sequence[Any]) -> tuple[ShapedArray, ...]:
    return tuple(ShapedArray(jnp.shape(x), jnp.result_type(x)) for x in arrays)


class Rules(NamedTuple):
    """Says how many operands are known, what the primitive runs, its transpose, and both in differentiable form.

    What it takes and gives is known: to trace it for that would be to trace all that it runs, each time.
    """

    known: int
    forwards: Callable[..., list]
    backwards: Callable[..., list]
    smooth_forwards: Callable[..., list]
    smooth_backwards: Callable[..., list]
    given: tuple[ShapedArray, ...]
    found: tuple[ShapedArray, ...]
    apart: bool

    def turned(self, asked: Sequence[bool]) -> Rules:
        """Gives the rules of the transpose, whose arguments are the cotangents of those results that are asked for."""

        def some(f: Callable[..., list]) -> Callable[..., list]:
            return lambda *a: _of(f(*a), asked)

        def filled(f: Callable[..., list]) -> Callable[..., list]:
            def of_some(*a: Any) -> list:
                left = iter(a[self.known :])
                return f(*a[: self.known], *(next(left) if wanted else None for wanted in asked))

            return of_some

        both = filled(self.backwards), some(self.forwards), filled(self.smooth_backwards), some(self.smooth_forwards)
        return Rules(self.known, *both, tuple(_of(self.found, asked)), self.given, self.apart)

    def over(self, size: int, dims: Sequence[int | None]) -> Rules:
        """Gives the rules of a batch of `size`: `dims` of the known operands, all others lead."""
        axes = lambda a: (*dims, *(None if x is None else 0 for x in a[self.known :]))
        many = lambda f: lambda *a: jax.vmap(f, in_axes=axes(a))(*a)
        each = (lambda f: lambda *a: mapped(f, axes(a), a)) if self.apart else many
        both = each(self.forwards), each(self.backwards)
        wider = lambda shapes: tuple(ShapedArray((size, *x.shape), x.dtype) for x in shapes)
        shapes = wider(self.given), wider(self.found)
        return Rules(self.known, *both, many(self.smooth_forwards), many(self.smooth_backwards), *shapes, self.apart)


def _of(several: Sequence[Any], asked: Sequence[bool]) -> list:
    return [x for x, wanted in zip(several, asked) if wanted]


def _run(*flat: Any, rules: Rules) -> list:
    return rules.forwards(*flat)


def _shapes(*flat: Any, rules: Rules) -> list:
    return list(rules.found)


def _transpose(cts: Sequence[Any], *flat: Any, rules: Rules) -> list:
    asked = [type(ct) is not ad.Zero for ct in cts]
    found = linear_p.bind(*flat[: rules.known], *_of(cts, asked), rules=rules.turned(asked))
    wanted = [f if ad.is_undefined_primal(x) else None for f, x in zip(found, flat[rules.known :])]
    return [None] * rules.known + wanted


def _jvp(primals: tuple, tangents: tuple, *, rules: Rules) -> tuple:
    count = rules.known
    out = linear_p.bind(*primals, rules=rules)
    if all(type(t) is ad.Zero for t in tangents[:count]):
        moved = [ad.instantiate_zeros(t) for t in tangents[count:]]
        return out, linear_p.bind(*primals[:count], *moved, rules=rules)
    varied = [k for k, t in enumerate(tangents) if type(t) is not ad.Zero]

    def smooth(*some: Any) -> list:
        operands = list(primals)
        for k, x in zip(varied, some):
            operands[k] = x
        return rules.smooth_forwards(*operands)

    return out, jax.jvp(smooth, [primals[k] for k in varied], [tangents[k] for k in varied])[1]


def _batched(flat: tuple, dims: tuple, *, rules: Rules) -> tuple:
    size = next(x.shape[d] for x, d in zip(flat, dims) if d is not None)
    # Linear arguments are all given the axis, so that the transpose has it, too.
    placed = zip(flat[rules.known :], dims[rules.known :])
    given = [jnp.broadcast_to(x, (size, *jnp.shape(x))) if d is None else jnp.moveaxis(x, d, 0) for x, d in placed]
    out = linear_p.bind(*flat[: rules.known], *given, rules=rules.over(size, dims[: rules.known]))
    return out, [0] * len(out)


linear_p = Primitive("linear_rule")
linear_p.multiple_results = True
linear_p.def_impl(_run)
linear_p.def_abstract_eval(_shapes)
ad.primitive_jvps[linear_p] = _jvp
ad.primitive_transposes[linear_p] = _transpose
batching.primitive_batchers[linear_p] = _batched
mlir.register_lowering(linear_p, mlir.lower_fun(_run, multiple_results=True))
