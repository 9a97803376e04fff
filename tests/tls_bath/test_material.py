"""A solid's loss tangent, the golden rule and T1 are one chain; the standard tunnelling model's moments."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt
from jaxtls.models.tls_bath import expected_tls, filling_factor, loss_tangent

close = np.testing.assert_allclose
SILICA = jt.TunnellingSolid.preset("silica")
DEBYE = 3.33564e-30
W = 2 * np.pi * 5e9
FIELDS, VOLUMES = np.array([2.0, 8.0, 30.0]), np.array([1e-15, 1e-16, 2e-18])
BAND = (2 * np.pi * 4.5e9, 2 * np.pi * 5.5e9)
PERMITTIVITY = 3.9


def bath(n, key=0, solid=SILICA, dipole=DEBYE, cut=1e-2, volumes=VOLUMES):
    return jt.TLSBath.from_solid(
        jax.random.key(key),
        n,
        solid,
        dipole=dipole,
        fields=FIELDS,
        volumes=volumes,
        band=BAND,
        relaxation=2 * np.pi * 20e6,
        min_tunnelling=cut,
    )


@pytest.mark.slow
@pytest.mark.parametrize("n, cut", [(200_000, 1e-2), (2_000, 0.3)])
def test_golden_rule_is_loss_tangent(n, cut):
    """1/T1 = omega F tan delta within the sampling error, however many TLSs stand for the solid's."""
    share = filling_factor(FIELDS, VOLUMES, PERMITTIVITY, W)
    want = float(W * share * loss_tangent(SILICA, DEBYE, PERMITTIVITY, cut))
    found = np.array([bath(n, k, cut=cut).relaxation_rate(W) for k in range(12)])
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - want) < 4 * error + 0.02 * want * (20 / 500)  # tails outside the band
    assert error < 0.12 * want


@pytest.mark.slow
def test_exact_motion_decays_at_that_rate():
    """|c|² falls as exp(-omega F tan delta t): loss tangent to swap spectroscopy."""
    cut = 0.5
    b = bath(400_000, cut=cut)
    tangent = loss_tangent(SILICA, DEBYE, PERMITTIVITY, cut)
    want = W * filling_factor(FIELDS, VOLUMES, PERMITTIVITY, W) * tangent
    # a time in which the band of 1 GHz is resolved
    t = jnp.array([3e-8])
    close(-jnp.log(jnp.abs(b.amplitude(W, t)) ** 2) / t, want, rtol=0.1)


@pytest.mark.slow
def test_one_differentiable_chain():
    """d ln(1/T1)/d ln of density, dipole and each cell's volume; the count grows with the volume too."""
    rate = lambda scale: bath(500, solid=dataclasses.replace(SILICA, p_bar=SILICA.p_bar * scale)).relaxation_rate(W)
    value, slope = jax.value_and_grad(rate)(1.0)
    close(slope / value, 1.0, rtol=1e-12)
    close(jax.grad(lambda s: jnp.log(bath(500, dipole=DEBYE * s).relaxation_rate(W)))(1.0), 2.0, rtol=1e-12)
    sum_g2 = lambda v: jnp.sum(bath(200_000, volumes=v).couplings ** 2)
    slopes = jax.grad(sum_g2)(jnp.asarray(VOLUMES)) * VOLUMES / sum_g2(jnp.asarray(VOLUMES))
    close(slopes, FIELDS**2 * VOLUMES / np.sum(FIELDS**2 * VOLUMES), rtol=0.1)


def test_phonons_relax_tls_as_their_tunnelling():
    b = jt.TLSBath.from_solid(
        jax.random.key(0), 50, SILICA, dipole=DEBYE, fields=[1.0], volumes=[1e-16], band=BAND, temperature=0.01
    )
    energy = 1.054571817e-34 * np.asarray(b.frequencies)
    fastest = np.asarray(SILICA.max_relaxation_rate(energy, 0.01))
    share = np.asarray(b.relaxation) / fastest
    assert np.all(share <= 1 + 1e-12) and np.all(share >= 1e-4 * (1 - 1e-9))
    # g = g_max u |cos| with the same u
    expected = float(expected_tls(SILICA, volumes=[1e-16], band=BAND))
    largest = DEBYE / 1.054571817e-34 * np.sqrt(expected / 50)
    assert np.all(np.asarray(b.couplings) <= largest * np.sqrt(share) * (1 + 1e-9))


def test_count_of_tls():
    """Pbar hbar dw V arccosh(1/u_min)."""
    count = expected_tls(SILICA, volumes=[1e-16, 2e-16], band=BAND, min_tunnelling=0.1)
    close(count, float(SILICA.p_bar) * 1.054571817e-34 * 2 * np.pi * 1e9 * 3e-16 * np.arccosh(10.0), rtol=1e-8)


def test_samples_are_those_of_the_standard_model():
    n, cut = 40_000, 0.05
    b = jt.TLSBath.sample(
        jax.random.key(4), n, band=(4.0, 6.0), max_coupling=2.0, relaxation=0.1, dephasing=0.2, min_tunnelling=cut
    )
    x, L = np.asarray(b.couplings) / 2, np.arccosh(1 / cut)
    for power, want in ((1, np.arccos(cut) / L / 2), (2, np.sqrt(1 - cut**2) / L / 3)):
        assert abs(np.mean(x**power) - want) < 5 * np.std(x**power) / np.sqrt(n)
    w = np.asarray(b.frequencies)
    assert w.min() > 4 and w.max() < 6 and abs(w.mean() - 5) < 5 * 2 / np.sqrt(12 * n)


def test_samples_are_differentiable():
    def total(x):
        b = jt.TLSBath.sample(
            jax.random.key(4), 50, band=(x[0], x[1]), max_coupling=x[2], relaxation=x[3], min_tunnelling=x[4]
        )
        return b.relaxation_rate(5.0)

    x = jnp.array([4.0, 6.0, 0.1, 0.3, 0.05])
    want = [(total(x + e) - total(x - e)) / 2e-6 for e in 1e-6 * np.eye(5)]
    close(jax.grad(total)(x), want, rtol=1e-5)


def test_a_bath_survives_the_disk(tmp_path):
    b = jt.TLSBath([5.0], [0.1], 0.2, shifts=[[0.3]], rates_up=1.0, rates_down=2.0)
    jt.save(tmp_path / "bath", b)
    again = jt.load(tmp_path / "bath")
    assert jax.tree.all(jax.tree.map(lambda x, y: bool(jnp.all(x == y)), b, again)) and isinstance(again, jt.TLSBath)


@pytest.mark.parametrize(
    "name, call",
    [
        ("fields", lambda: filling_factor([-1.0], [1.0], 1.0, 1.0)),
        ("volumes", lambda: filling_factor([1.0], [1.0, 2.0], 1.0, 1.0)),
        ("frequency", lambda: filling_factor([1.0], [1.0], 1.0, 0.0)),
        ("dipole", lambda: loss_tangent(SILICA, 0.0, 1.0)),
        ("band", lambda: expected_tls(SILICA, volumes=[1.0], band=(2.0, 1.0))),
        ("min_tunnelling", lambda: expected_tls(SILICA, volumes=[1.0], band=(1.0, 2.0), min_tunnelling=1.0)),
        ("frequencies", lambda: jt.TLSBath([[5.0]], [0.1], 0.1)),
        ("frequencies", lambda: jt.TLSBath([], [], 0.1)),
        ("couplings", lambda: jt.TLSBath([5.0], [np.nan], 0.1)),
        ("rates_up", lambda: jt.TLSBath([5.0], [0.1], 0.1, shifts=[[1.0]], rates_up=0.0, rates_down=0.0)),
        (
            "shifts",
            lambda: jt.TLSBath(
                [5.0], [0.1], 0.1, shifts=np.ones((1, 13)), rates_up=1.0, rates_down=1.0
            ).relaxation_rate(5.0),
        ),
        (
            "states",
            lambda: jt.TLSBath([5.0], [0.1], 0.1, shifts=[[1.0]], rates_up=1.0, rates_down=1.0).relaxation_rate(
                5.0, [[0]]
            ),
        ),
        ("frequency", lambda: jt.TLSBath([5.0], [0.1], 0.1).amplitude([5.0], [1.0])),
        ("ts", lambda: jt.TLSBath([5.0], [0.1], 0.1).swap_map([5.0], 1.0)),
        ("tls_excited", lambda: jt.TLSBath([5.0], [0.1], 0.1).populations(5.0, 1.0, tls_excited=2.0)),
    ],
)
def test_bad_input_is_named(name, call):
    with pytest.raises(ValueError, match=name):
        call()
