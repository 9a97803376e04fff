"""Klimov et al., arXiv:1809.01043, and Mueller et al., arXiv:1503.01637: T1 that wanders as TLSs are moved.

Mueller et al. explain fluctuations of T1 by TLSs near the qubit that thermal fluctuators move; Klimov et al. see TLSs
jump and diffuse, sigma = 2 D sqrt(t) with D = 2.5 MHz/sqrt(h). Their records could not be read off: the numbers of the
TLS (g/2pi = 0.1 MHz, half width 1 MHz, T1 = 50 us without it) are ours. Measured:
- (a), (b) one TLS with one fluctuator (20 switchings an hour up, 40 down, 6 MHz far): T1 at a fixed frequency is a
  telegraph between 6.9 and 43 us. The Allan deviation of Gamma_1 over 5000 h (full size) follows the closed form of
  one Lorentzian within 2 % up to 45 h, and 7 % at the longest times, where one record scatters (quick size, 200 h: 2 %
  up to 6 min, then 8 %); its maximum is at 1.89 correlation times of 1 min. So one fluctuator does what Mueller et al.
  say of it.
- (c), (d) one TLS with 100 slow fluctuators of amplitude a and total rate G: its frequency diffuses, in steps of
  2 a = 3.2 MHz that the map shows, <move^2> = 2 K a^2 (1 - e^(-G t)) -> 4 D^2 t. With G = 0.05/h this is below the law
  of Klimov et al. by 2 % at 2 h, 5 % at 4 h and 9 % at 8 h; 40 000 records (full size) follow it within 1.2 %, and are
  2, 4 and 10 % below the law (4000 records of the quick size: within 4 %): fluctuators hold the TLS in the end, at
  times 1/G, and the law has no end. Which of the two holds beyond the paper's records could not be read off.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from .. import Fluctuators, TLSBath, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"hour": "h", "tau": "h", "frequency": "MHz", "scan": "h", "lag": "h"}
G, WIDTH, BACKGROUND = 2 * math.pi * 0.1, 2 * math.pi * 1.0, 1 / 50  # rad/us, rad/us, 1/us
UP, DOWN, JUMP = 20.0, 40.0, 2 * math.pi * 3.0  # 1/h, 1/h, rad/us
D, COUNT, SLOW = 2.5, 100, 0.05  # MHz/sqrt(h), fluctuators, 1/h
SCANNED = np.linspace(-40.0, 40.0, 161)  # MHz


def one_fluctuator() -> TLSBath:
    """Gives a TLS moved by a fluctuator from the qubit's frequency to 6 MHz below; frequencies in rad/us, rates in 1/h.

    The two units never meet: the rate at an instant knows nothing of the switching (adiabatic).
    """
    return TLSBath([-JUMP], [G], 2 * WIDTH, shifts=[[JUMP]], rates_up=UP, rates_down=DOWN)


def allan_deviation(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Gives the overlapping Allan deviation of an even record for windows of so many samples."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    found = []
    for n in sizes:
        means = (total[n:] - total[:-n]) / n
        found.append(np.sqrt(np.mean((means[n:] - means[:-n]) ** 2) / 2))
    return np.array(found)


def data(quick: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """Computes both records and both statistics.

    Arguments:
        quick: a record of 200 h and 4000 diffusing TLSs; False: 5000 h and 40000.
        progress: not used: it takes seconds.

    Returns:
        hour, t1 (T,) [h, us]: the first 2 h; tau, allan, allan_exact (S,) [h, 1/us]; frequency (W,) [MHz], scan (N,)
        [h], rates (N W,) [1/us], a row for each scan; lag, moved, law (L,) [h, MHz].
    """
    bath, step = one_fluctuator(), 1 / 600
    ts = np.arange(round((200 if quick else 5000) / step)) * step
    rate = BACKGROUND + np.asarray(bath.rate_trace(jax.random.key(0), ts, 0.0))
    # from four samples on: a sample is an instant, the closed form is of averages
    sizes = np.unique(np.round(np.geomspace(4, len(ts) / 40, 30)).astype(int))
    near, far = (float(bath.relaxation_rate(0.0, states=[[s]])) for s in (1, -1))
    telegraph = Fluctuators(*(np.array([x]) for x in ((near - far) / 2, UP, DOWN)))
    first = ts <= 2.0
    found = {
        "hour": ts[first],
        "t1": 1 / rate[first],
        "tau": sizes * step,
        "allan": allan_deviation(rate, sizes),
        "allan_exact": np.sqrt(np.asarray(telegraph.allan_variance(sizes * step))),
    }
    return found | _diffusion(4000 if quick else 40_000)


def _diffusion(records: int) -> dict[str, np.ndarray]:
    """Give moves of a TLS that many slow fluctuators push, and one record of the rate over frequency."""
    half = np.full(COUNT, SLOW / 2)
    amplitude = D * math.sqrt(2 / (COUNT * SLOW))  # 2 K a^2 G = 4 D^2
    slow = Fluctuators(np.full(COUNT, amplitude), half, half)
    hours = jnp.linspace(0.0, 8.0, 97)
    keys = jax.random.split(jax.random.key(1), records)
    path = jax.lax.map(lambda key: jnp.sum(slow.amplitudes * slow.sample(key, hours), axis=-1), keys, batch_size=500)
    moved = jnp.sqrt(jnp.mean((path - path[:, :1]) ** 2, axis=0))
    places = path[0] - path[0, 0]
    tls = TLSBath([0.0], [G], 2 * WIDTH)
    rates = tls.relaxation_rate(2 * math.pi * (SCANNED - np.asarray(places)[:, None]).ravel())
    lag = np.asarray(hours)[1:]
    return {
        "frequency": SCANNED,
        "scan": np.asarray(hours),
        "rates": BACKGROUND + np.asarray(rates),
        "lag": lag,
        "moved": np.asarray(moved)[1:],
        "law": 2 * D * np.sqrt(lag),
    }


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws T1 of one telegraph and its Allan deviation; a TLS that diffuses and how far it comes."""
    fig = plot.figure(10.0, 7.2)
    axes = fig.subplots(2, 2).ravel()
    axes[0].plot(data["hour"], data["t1"], color=plot.BLUE, lw=0.9, drawstyle="steps-post")
    axes[0].set(xlabel="time  [h]", ylabel=r"$T_1$  [us]", xlim=(0, 2), ylim=(0, None))
    axes[1].loglog(data["tau"], data["allan"], "o", ms=4, color=plot.BLUE, label="one record")
    axes[1].loglog(data["tau"], data["allan_exact"], color=plot.VERMILION, label="one Lorentzian, closed form")
    axes[1].set(xlabel="averaging time  [h]", ylabel=r"Allan deviation of $\Gamma_1$  [1/us]")
    axes[1].legend(frameon=False, fontsize=8)
    shape = len(data["scan"]), len(data["frequency"])
    plot.rate_waterfall(
        data["frequency"],
        data["scan"],
        data["rates"].reshape(shape),
        labels=("qubit frequency, relative  [MHz]", "time  [h]"),
        rate_label=r"$\Gamma_1$  [1/us]",
        ax=axes[2],
    )
    axes[3].loglog(data["lag"], data["moved"], "o", ms=4, color=plot.BLUE, label=f"{COUNT} slow fluctuators")
    axes[3].loglog(data["lag"], data["law"], color=plot.VERMILION, label=r"$2 D \sqrt{t}$, $D$ = 2.5 MHz/$\sqrt{h}$")
    axes[3].set(xlabel="time  [h]", ylabel="root mean square move  [MHz]")
    axes[3].legend(frameon=False, fontsize=8)
    for ax, letter in zip(axes, "abcd", strict=True):
        ax.set_title(f"({letter})", loc="left", fontsize=10)
        if letter != "c":
            plot.tidy(ax)
        if letter in "bd":
            plot.few_decades(ax)
    return fig
