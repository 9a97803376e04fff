"""What is built is what is needed: files of the wheel and the sdist, and their metadata."""

import pathlib
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Both, by hatchling itself, which needs no network and no environment of its own."""
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out), "-t", "sdist", "-t", "wheel"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def test_the_wheel_has_the_package_and_what_it_reads(built):
    wheel, _ = built
    assert wheel.name == f"jaxtls-{PROJECT['version']}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "jaxtls").rglob("*")
        if path.suffix in (".py", ".bib", ".csv", ".md")
    }
    assert package <= names, sorted(package - names)[:5]
    assert {"jaxtls/py.typed", "jaxtls/docs/README.md", "jaxtls/docs/static/jaxtls.css"} <= names
    assert {f"jaxtls/docs/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")} <= names
    assert "jaxtls/docs/notebooks/gallery/top.png" in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"jaxtls", f"jaxtls-{PROJECT['version']}.dist-info"}
    assert not any("__pycache__" in name for name in names)
    assert sum(info.file_size for info in zipfile.ZipFile(wheel).infolist()) < 8e6


def test_an_editable_install_lays_no_second_package(tmp_path):
    """A folder of its name in site-packages would hide its types from mypy."""
    wheel = pytest.importorskip("hatchling.builders.wheel")
    pytest.importorskip("editables")
    path = next(wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["editable"]))
    names = zipfile.ZipFile(path).namelist()
    assert not [name for name in names if name.startswith("jaxtls/")]


def test_the_sdist_can_be_tested(built):
    _, sdist = built
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "tests/__main__.py", "benchmarks/README.md", ".ci/run"} <= names
    assert "notebooks/conventions.ipynb" in names and ".github/CONTRIBUTING.md" in names


def test_metadata(built):
    wheel, _ = built
    archive = zipfile.ZipFile(wheel)
    said = message_from_bytes(archive.read(f"jaxtls-{PROJECT['version']}.dist-info/METADATA"))
    assert (said["Name"], said["Version"], said["License-Expression"]) == ("jaxtls", PROJECT["version"], "Apache-2.0")
    assert said["Description-Content-Type"] == "text/markdown" and "Two commands" in said.get_payload()
    assert set(said.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert b"jaxtls = jaxtls.__main__:main" in archive.read(f"jaxtls-{PROJECT['version']}.dist-info/entry_points.txt")


def test_the_version_is_said_once_and_has_its_changes():
    changes = (ROOT / ".github" / "CHANGELOG.md").read_text()
    assert f"\n## {PROJECT['version']}\n" in changes
