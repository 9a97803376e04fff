"""Makes operators times a number of time: functions, steps, samples."""

from __future__ import annotations

from .._types import Numbers
from .envelopes import PiecewiseConstant, PiecewisePolynomial
from .operators import Operator, OperatorLike, as_operator


def modulated(envelope: object, op: OperatorLike) -> Operator:
    """Returns the time-dependent term envelope(t) * op.

    Arguments:
        envelope: t -> number, written with jax.numpy, or with NumPy's functions. A fresh lambda compiles anew in each
            call: for sweeps make it an eqx.Module with `__call__`, whose numbers are arguments of the compiled code. A
            diffrax interpolation of numbers (`LinearInterpolation`, `CubicInterpolation`) will do, too.
        op: an (n, n) array, an `Operator`, a QuTiP `Qobj` or a dynamiqs `QArray`.

    Returns:
        Operator: for a Hamiltonian or a jump operator, alone or in a sum.

    Raises:
        ValueError: `envelope` is no function of time alone, JAX cannot trace it (`math`, `if`), or it gives no number.

    Example:
        >>> drive = modulated(jnp.cos, jnp.array([[0, 1], [1, 0]]))
        >>> sol = jt.mesolve(drive, [], jnp.array([1.0, 0.0]), jnp.array([0.0, jnp.pi / 2]))
        >>> round(float(sol.states[-1, 1, 1].real), 4), round(float(jnp.sin(1.0) ** 2), 4)
        (0.7081, 0.7081)

    Source: none; the usual form of a drive.
    """
    return as_operator("op", op).times("envelope", envelope)


def piecewise_constant(times: Numbers, values: Numbers, op: OperatorLike) -> Operator:
    """Returns the term v(t) op with v(t) = values[k] for times[k] <= t < times[k+1], and 0 outside.

    The solver stops at each edge and starts anew behind it, so no pulse is stepped over.

    Arguments:
        times: (K + 1,) ascending edges [time].
        values: (K,) real or complex.
        op: as in `modulated`.

    Returns:
        Operator.

    Raises:
        ValueError: the edges are not ascending, or `values` does not fit.

    Example:
        >>> pulse = piecewise_constant([5.0, 5.1], [jnp.pi / 0.2], jnp.array([[0, 1], [1, 0]]))
        >>> sol = jt.mesolve(pulse, [], jnp.array([1.0, 0.0]), jnp.array([0.0, 10.0]))
        >>> round(float(sol.states[-1, 1, 1].real), 4)
        1.0

    Source: none.
    """
    return modulated(PiecewiseConstant(times, values), op)


def sampled(times: Numbers, values: Numbers, op: OperatorLike, order: int = 3) -> Operator:
    """Returns the term v(t) op with v(t) through samples: a cubic spline, or straight lines.

    Arguments:
        times: (K,) ascending times of the samples, two or more [time]; beyond them the ends are held.
        values: (K,) real or complex.
        op: as in `modulated`.
        order: 3 for the "not-a-knot" cubic spline, as SciPy and QuTiP have it, 1 for straight lines.

    Returns:
        Operator; derivatives with respect to values and times work.

    Raises:
        ValueError: the times are not ascending, or `values` or `order` does not fit.

    Example:
        >>> ts = jnp.linspace(0.0, jnp.pi / 2, 16)
        >>> drive = sampled(ts, jnp.cos(ts), jnp.array([[0, 1], [1, 0]]))
        >>> sol = jt.mesolve(drive, [], jnp.array([1.0, 0.0]), jnp.array([0.0, jnp.pi / 2]))
        >>> bool(abs(sol.states[-1, 1, 1].real - jnp.sin(1.0) ** 2) < 1e-5)
        True

    Source: C. de Boor, A Practical Guide to Splines (Springer, 1978), ch. IV.
    """
    return modulated(PiecewisePolynomial.through(times, values, order), op)
