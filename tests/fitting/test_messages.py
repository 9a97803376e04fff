"""Bad input is refused with a sentence that names the argument, its value and the remedy."""

import jax
import jax.numpy as jnp
import pytest

from jaxtls.fitting import Fixed, Interval, Positive, fit

from .models import Decay, Nested, Tone, X, decay

Y = decay(Decay(2.0, 1.3))
FREE = {"rate": Positive()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"free": {"gamma": Positive()}}, r"`free` .*one of amplitude, rate, label.*'gamma'"),
        ({"free": {}}, "`free` .*at least one"),
        ({"free": {"rate": Fixed()}}, "`free` .*at least one"),
        ({"free": {"rate": 1.0}}, r'`free\["rate"\]` .*Positive\(\)'),
        ({"free": {"label": Positive()}}, "static|real"),
        ({"free": {"rate": Interval(2.0, 3.0)}}, r"`model.rate` .*strictly between 2.0 and 3.0"),
        ({"free": {"rate": Positive(0.5)}}, r"`model.rate` .*above 0.5"),
        ({"free": {"rate": Interval(jnp.zeros(2), jnp.ones(2))}}, "broadcast"),
        ({"model": Decay(1.0, jnp.nan)}, "`model.rate` .*finite"),
        ({"data": {"y": Y}}, "`predict` .*pytree like data"),
        ({"data": Y[:3]}, r"`data` .*shape .*\(25,\).*\(3,\)"),
        ({"data": Y.at[2].set(jnp.nan)}, "`data` .*finite.*1 values"),
        ({"data": None}, "`data`"),
        ({"sigma": 0.0}, "`sigma` .*> 0"),
        ({"sigma": -1.0}, "`sigma` .*> 0"),
        ({"sigma": jnp.nan}, "`sigma` .*> 0"),
        ({"sigma": jnp.inf}, "`sigma` .*inf everywhere"),
        ({"sigma": {"y": 1.0}}, "`sigma` .*pytree like data"),
        ({"sigma": jnp.ones(3)}, "`sigma` .*shape"),
        ({"method": "newton"}, "`method` .*optax.*newton"),
        ({"n_starts": 0}, "`n_starts` .*at least 1"),
        ({"max_steps": 0}, "`max_steps` .*at least 1"),
        ({"rtol": -1.0}, "`rtol`"),
    ],
)
def test_named(change, words):
    arguments = {"predict": decay, "model": Decay(1.0, 0.5), "data": Y, "sigma": 0.1, "free": FREE, **change}
    with pytest.raises(ValueError, match=words):
        fit(arguments.pop("predict"), arguments.pop("model"), arguments.pop("data"), **arguments)


def test_nested_names_are_listed():
    with pytest.raises(ValueError, match="one of omega"):
        fit(lambda m: m.tone.omega * X, Nested(Decay(1.0, 1.0), Tone(1.0)), X, free={"tone.rate": Positive()})


def test_leaf_is_named_in_a_dictionary():
    with pytest.raises(ValueError, match=r"data\['x'\]"):
        fit(lambda m: {"x": decay(m)}, Decay(1.0, 0.5), {"x": Y[:2]}, free=FREE)


def test_a_fit_inside_jit_is_refused():
    with pytest.raises(ValueError, match="outside jit"):
        jax.jit(lambda y: fit(decay, Decay(1.0, 0.5), y, free=FREE).chi2)(Y)
