"""Holds what an analysis found."""

from __future__ import annotations

import dataclasses
from typing import TypedDict

from ...fitting import FitResult
from ...models.resonator import ResonatorLoss
from ..quantity import Quantity
from .measured import Measured
from .profile import Profile
from .verdict import Verdict


class FormRow(TypedDict):
    """Holds one form of the loss in the comparison."""

    form: str
    free: int
    chi2: float
    aic: float
    rms_loss: float
    rms_shift: float
    tangent: float
    used: bool


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ResonatorAnalysis:
    """Holds the chosen form of a resonator's loss, its numbers with errors, and the verdict on TLSs.

    Arguments:
        measured: the data, checked.
        form: saturation form that was used.
        has_gap: whether a term of quasiparticles is in the fit.
        fit: `FitResult`; its errors are scaled by the root of chi2/dof where chi2 says that error bars are too small.
        scale: that factor, 1 elsewhere.
        held: parameters that were not fitted, by the caller's wish.
        derived: F tan delta and what else follows, each a `Quantity`.
        comparison: one row for each form tried.
        verdict: a word, a sentence, and the upper limit of F tan delta where the word is "no TLS".
        profiles: profile likelihoods of the positive parameters named.
        notes: sentences that a reader must not miss.

    Example:
        >>> n, truth = np.geomspace(0.1, 1e5, 12), jt.ResonatorLoss(
        ...     frequency=5e9, loss_tangent=2e-6, critical_power=10.0, photon_exponent=0.9, constant_loss=2e-7,
        ...     saturation="standard")
        >>> q = np.asarray(truth.quality_factor(0.02, n))
        >>> jt.analyse_resonator(np.full(12, 0.02), n, q, frequency=5e9, sigma=0.02 * q).verdict.word
        'TLS'
    """

    measured: Measured
    form: str
    has_gap: bool
    fit: FitResult
    scale: float
    held: dict[str, float]
    derived: dict[str, Quantity]
    comparison: list[FormRow]
    verdict: Verdict
    profiles: dict[str, Profile]
    notes: list[str]

    @property
    def model(self) -> ResonatorLoss:
        """Gives the fitted resonator."""
        model: ResonatorLoss = self.fit.model
        return model

    @property
    def loss_tangent(self) -> Quantity:
        """Gives F tan delta."""
        return self.derived["F tan delta"]

    def __repr__(self) -> str:
        dof = int(self.fit.dof)
        lines = [
            f"ResonatorAnalysis: {self.verdict.word}, saturation {self.form}, chi2 {self.fit.chi2:.4g} / {dof} dof"
        ]
        lines += [f"  {name}  {value}" for name, value in self.derived.items()]
        return "\n".join([*lines, f"  {self.verdict.text}"])
