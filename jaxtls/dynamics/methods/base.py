"""`AbstractMethod` plans what is static, runs what is traced, judges whether the plan was enough; the one loop."""

from __future__ import annotations

import abc
import dataclasses

import equinox as eqx
import jax

from ..._checks import is_traced
from ..problem import Problem
from ..solution import Solution

MAX_ATTEMPTS = 6


class AbstractPlan(eqx.Module):
    """Fixes everything of a run before it: sizes, numbers of terms and steps, layout."""

    @abc.abstractmethod
    def describe(self) -> str:
        """Says what was chosen, and why, in a line."""


class AbstractMethod(eqx.Module):
    """Moves a model through the times of a problem."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Gives the word for it."""

    def title(self, problem: Problem, plan: AbstractPlan) -> str:
        """Gives the word for a run in `stats["method"]`: the name, and what problem or plan settle about it."""
        return self.name

    def refusal(self, problem: Problem) -> str | None:
        """Says why the method cannot solve the problem: what it wants, as the end of "must ..."; None if it can."""
        return None

    def remark(self, problem: Problem) -> str:
        """Says what else of a problem settles how it runs, to be added to the reason for the method; else nothing."""
        return ""

    @abc.abstractmethod
    def plan(self, problem: Problem) -> AbstractPlan:
        """Makes a first plan: from numbers where they are known, else from structure alone."""

    @abc.abstractmethod
    def run(self, problem: Problem, plan: AbstractPlan) -> Solution:
        """Gives the solution by a plan; pure."""

    def judge(self, problem: Problem, plan: AbstractPlan, solution: Solution, attempt: int) -> AbstractPlan | None:
        """Gives a larger plan where the solution shows that this one was too small, else None; numbers are known."""
        return None


def march(method: AbstractMethod, problem: Problem, plan: AbstractPlan | None, why: str) -> Solution:
    """Run by a plan, and say what ran and `why`; outside jit enlarge what proved too small, and go again.

    Under an eager jax.grad the values are known, so the plan is found on them, and then run once more with tracers.
    """
    values = fixed(problem)
    if values.traced:
        plan = method.plan(problem) if plan is None else plan
        solution = method.run(problem, plan)
    else:
        plan, solution = search(method, values, plan)
        if problem.traced:
            solution = method.run(problem, plan)
    told = {"method": method.title(problem, plan), "why": why}
    return dataclasses.replace(solution, stats={**solution.stats, **told})


def search(method: AbstractMethod, problem: Problem, plan: AbstractPlan | None) -> tuple[AbstractPlan, Solution]:
    """Finds a plan that proves good enough, and what it gave; numbers are known."""
    plan = method.plan(problem) if plan is None else plan
    solution = method.run(problem, plan)
    for attempt in range(1, MAX_ATTEMPTS):
        if is_traced(solution):
            # Inside jit nothing of it is known yet, though all numbers of the problem are.
            break
        better = method.judge(problem, plan, solution, attempt)
        if better is None:
            break
        plan = better
        solution = method.run(problem, plan)
    return plan, solution


def fixed(problem: Problem) -> Problem:
    """Gives the problem without derivatives, which an eager jax.grad leaves with known numbers."""
    # Known numbers are left alone: inside jit even stop_gradient would make tracers of them.
    still = jax.tree.map(lambda x: jax.lax.stop_gradient(x) if is_traced(x) else x, problem)
    # A tracer that hides in a function shows no value.
    hidden = problem.traced and not is_traced(problem)
    return dataclasses.replace(still, traced=hidden or is_traced(still))
