"""`jaxtls info`: what a bug report needs."""

import platform
from importlib.metadata import version

import jax

from jaxtls.__main__ import main
from jaxtls.cli import info


def test_info(capsys, monkeypatch):
    monkeypatch.setattr(info, "OPTIONAL", (*info.OPTIONAL, "no-such-package"))
    assert main(["info"]) == 0
    said = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    for name in ("jaxtls", "jax", "jaxlib", "diffrax", "equinox", "numpy", "matplotlib"):
        assert said[name] == version(name)
    assert said["no-such-package"] == "not installed"
    assert said["python"].startswith(platform.python_version())
    assert said["jax_enable_x64"] == str(jax.config.jax_enable_x64)
    assert f"cpu x {len(jax.devices('cpu'))}" in said["devices"]
    assert "host_platform_device_count" in said["XLA_FLAGS"]


def test_info_without_a_device(monkeypatch):
    def broken():
        raise RuntimeError("no driver")

    monkeypatch.setattr(jax, "devices", broken)
    assert "none: no driver" in " ".join(info.lines())
