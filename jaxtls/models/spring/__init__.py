"""Models the entropic spring of Wang & Taylor."""

from .limits import constant_rate_moments as constant_rate_moments
from .limits import weak_coupling_rates as weak_coupling_rates
from .model import EntropicSpring as EntropicSpring
