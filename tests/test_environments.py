"""The environments: each place that names versions names the same ones."""

import re
from pathlib import Path

import yaml

from tests.conftest import ROOT

ENVS = ROOT / "envs"


def pins(path: Path) -> dict[str, str]:
    """Read NAME==VERSION, whatever comes behind it; names as packages are compared."""
    found = re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_lock_has_every_pin_and_a_hash_for_each_package() -> None:
    direct, locked = pins(ENVS / "requirements.txt"), pins(ENVS / "requirements.lock")
    assert direct
    assert direct.items() <= locked.items()
    packages = re.split(r"\n(?=[a-z0-9])", (ENVS / "requirements.lock").read_text())[1:]
    assert len(packages) == len(locked)
    assert all("--hash=sha256:" in package for package in packages)


def test_conda_environment_is_made_of_the_same_pins() -> None:
    conda = yaml.safe_load((ENVS / "videomae.yaml").read_text())
    assert conda["dependencies"][-1] == {"pip": ["-r requirements.txt"]}


def test_no_place_pins_another_version_of_a_package() -> None:
    direct = pins(ENVS / "requirements.txt")
    development = pins(ENVS / "development.txt")
    assert not direct.keys() & development.keys()
    assert "-r requirements.txt" in (ENVS / "development.txt").read_text()
