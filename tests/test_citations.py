"""What `jt.cite` prints is BibTeX of every model, and nothing is listed that no model needs."""

import re

import equinox as eqx
import pytest

import jaxtls as jt
from jaxtls import models
from jaxtls.__main__ import main
from jaxtls.citation.cite import PAPERS, entries

# Results and records, which are made by a model that is cited.
MADE = {"NetworkBalance", "AdiabaticOscillator"}


def test_every_model_is_cited():
    found = {name for name, kind in vars(models).items() if isinstance(kind, type) and issubclass(kind, eqx.Module)}
    assert found - MADE <= set(PAPERS)
    assert all(name in vars(jt) for name in PAPERS)
    assert {key for keys in PAPERS.values() for key in keys} | {"jaxtls"} == set(entries())


@pytest.mark.parametrize("key", entries())
def test_an_entry_is_whole(key):
    text = entries()[key]
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", text, re.M))
    assert {"author", "title", "year"} <= set(fields) and text.count("{") == text.count("}")
    assert len(text.splitlines()) == len(fields) + 2, "a line that is no field"
    assert {"journal", "eprint", "school", "note"} & set(fields), "where is it?"
    assert fields["year"] in key or key == "jaxtls"


def test_object_class_name_and_command_agree(capsys):
    model = jt.DampedOscillator(omega=1.0, damping=0.1)

    class Mine(jt.DampedOscillator):
        """Derives from a model."""

    text = jt.cite("DampedOscillator")
    assert text == jt.cite(model) == jt.cite(jt.DampedOscillator) == jt.cite(Mine)
    assert jt.cite() == entries()["jaxtls"] and text.endswith(jt.cite()) and jt.__version__ in jt.cite()
    assert main(["cite", "DampedOscillator"]) == 0
    assert capsys.readouterr().out.strip() == text
    assert main(["cite", "Damped"]) == 2
    assert "There are BlochRedfield, DampedOscillator" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["Damped", 3.0, object(), jt.Positive])
def test_what_is_no_model_is_refused(wrong):
    with pytest.raises(ValueError, match="must be a model, its class or its name"):
        jt.cite(wrong)
