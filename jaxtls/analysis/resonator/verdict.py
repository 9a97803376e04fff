"""Says whether TLSs are seen, from the profile likelihood of F tan delta."""

from __future__ import annotations

import dataclasses
import math

SEEN, UNSEEN = 16.0, 4.0  # rise of chi2 at F = 0, in units of the scaled error squared: four and two standard errors
MISSES, EXPLAINED = 4.0, 0.97  # chi2/dof beyond which a form must at least explain this much of what TLSs would


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Holds the answer in a word ("TLS", "no TLS", "cannot tell") and a sentence, and the limit where there is one.

    `doubt` asks what would make it worthless: whether the temperatures are in mK. The sentence ends with it.
    """

    word: str
    text: str
    upper_limit: float | None = None
    doubt: str = ""

    def doubted(self, doubt: str) -> Verdict:
        """Returns the same with a question at the end."""
        return dataclasses.replace(self, text=f"{self.text} {doubt}", doubt=doubt) if doubt else self


def judge(
    rise: float,
    reduced: float,
    explained: float,
    tangent: float,
    limit: float | None,
    share: float | None,
    is_whole: bool = True,
) -> Verdict:
    """Gives what is said of a measured loss.

    Arguments:
        rise: chi2 of F = 0 less the least chi2, in units of max(1, chi2/dof).
        reduced: chi2/dof of the form.
        explained: 1 - chi2/chi2(F = 0).
        tangent: F tan delta.
        limit: where its profile has risen by two standard errors above it, None if nowhere.
        share: of the loss of the coldest, weakest row that TLSs of that limit would make.
        is_whole: whether all forms that the conditions can tell apart could be fitted.

    Returns:
        The verdict: a word, its sentence, and a limit where one is due.

    Example:
        >>> judge(400.0, 1.1, 0.99, 1e-6, 1.2e-6, 0.8).word
        'TLS'
    """
    away = math.sqrt(max(rise, 0.0))
    if tangent == 0:
        return Verdict("cannot tell", "F tan delta was held at zero, so these data were not asked for TLSs.")
    if rise == math.inf:
        return Verdict("TLS", "There is a TLS signature: with the parameters that are held, nothing else loses energy.")
    if reduced > MISSES and explained < EXPLAINED and not is_whole:
        return Verdict(
            "cannot tell",
            f"A loss without saturation does not describe these data (chi²/dof = {reduced:.3g}), and for one with it "
            "they are too few: measure more rows, or hold a parameter.",
        )
    if reduced > MISSES and explained < EXPLAINED:
        return Verdict(
            "cannot tell",
            f"No form of the loss describes these data (chi²/dof = {reduced:.3g}), so they say neither that there are "
            "TLSs nor how few: look at the residuals, and at what else loses energy here.",
        )
    if rise > SEEN:
        return Verdict(
            "TLS",
            f"There is a TLS signature: F tan delta stands {away:.2g} standard errors off zero, by its profile "
            "likelihood.",
        )
    if rise < UNSEEN and limit is not None and share is not None and share < 0.5:
        text = (
            f"There is no TLS signature: a loss without TLSs describes the data as well ({away:.2g} standard errors), "
            f"and F tan delta < {limit:.2g} (95 %), at most {100 * share:.2g} % of the loss at the coldest, weakest "
            "row."
        )
        return Verdict("no TLS", text, limit)
    if rise < UNSEEN:
        why = "no upper limit follows" if limit is None else f"as much as {limit:.2g} would fit as well"
        return Verdict(
            "cannot tell",
            f"These data cannot tell whether there are TLSs: a loss without any describes them ({away:.2g} standard "
            f"errors), but {why}. Other drives, or colder and warmer rows, would tell.",
        )
    return Verdict(
        "cannot tell",
        f"These data hint at TLSs without proof: F tan delta = {tangent:.2g} stands {away:.2g} standard errors off "
        "zero, where four would be a signature.",
    )
