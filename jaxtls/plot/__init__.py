"""Draws pictures of solutions, states, averages, networks and fits; each function returns what it drew into.

matplotlib is imported when a picture is asked for, and no window is opened (`_style`).
"""

from ._fits import correlations as correlations
from ._fits import fit_report as fit_report
from ._fits import trace_fit as trace_fit
from ._maps import sweep as sweep
from ._network import heat_flows as heat_flows
from ._noise import allan_deviation as allan_deviation
from ._noise import coherence_decay as coherence_decay
from ._noise import noise_spectrum as noise_spectrum
from ._noise import telegraph_fit as telegraph_fit
from ._noise import white_record as white_record
from ._rate_fits import flat_rates as flat_rates
from ._rate_fits import rate_fit as rate_fit
from ._resonance import resonance as resonance
from ._resonator import resonator_batch as resonator_batch
from ._resonator import resonator_fit as resonator_fit
from ._states import populations as populations
from ._states import wigner as wigner
from ._style import BLACK as BLACK
from ._style import BLUE as BLUE
from ._style import GREEN as GREEN
from ._style import LABELS as LABELS
from ._style import ORANGE as ORANGE
from ._style import PALETTE as PALETTE
from ._style import PURPLE as PURPLE
from ._style import SKY as SKY
from ._style import VERMILION as VERMILION
from ._style import few_decades as few_decades
from ._style import figure as figure
from ._style import ramp as ramp
from ._style import tidy as tidy
from ._tls_bath import rate_waterfall as rate_waterfall
from ._tls_bath import swap_fit as swap_fit
from ._tls_bath import swap_map as swap_map
from ._traces import band as band
from ._traces import power_law as power_law
from ._traces import traces as traces
