"""Fits models: what is free, least squares and first-order searches, standard errors, and what the data do not say."""

from .fit import fit as fit
from .identifiability import Identifiability as Identifiability
from .identifiability import entangled as entangled
from .likelihood import LikelihoodFit as LikelihoodFit
from .likelihood import fit_likelihood as fit_likelihood
from .power_law import PowerLaw as PowerLaw
from .power_law import fit_power_law as fit_power_law
from .result import FitResult as FitResult
from .transforms import AbstractTransform as AbstractTransform
from .transforms import Fixed as Fixed
from .transforms import Interval as Interval
from .transforms import Positive as Positive
from .transforms import Real as Real
from .uncertainty import propagate as propagate
