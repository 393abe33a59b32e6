"""The environments: each place that names versions names the same ones."""

import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Workflow

ENVS = ROOT / "envs"


def pins(path: Path) -> dict[str, str]:
    """Read NAME==VERSION, whatever comes behind it; names as packages are compared."""
    found = re.findall(r"^([\w.-]+)(?:\[\w+\])?==([\w.]+)", path.read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def instructions() -> list[tuple[str, str]]:
    """Give the Containerfile's instructions, each with what follows it on one line."""
    text = re.sub(r"^#.*\n", "", (ENVS / "Containerfile").read_text(), flags=re.MULTILINE)
    lines = filter(None, re.sub(r"\s*\\\n\s*", " ", text).splitlines())
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("requirements.lock", "requirements.txt"),
        ("kubernetes.lock", "storage.txt"),
        ("kubernetes.lock", "kubernetes.txt"),
    ],
)
def test_lock_has_every_pin_and_a_hash_for_each_package(lock: str, requirements: str) -> None:
    direct, locked = pins(ENVS / requirements), pins(ENVS / lock)
    assert direct
    assert direct.items() <= locked.items()
    packages = re.split(r"\n(?=[a-z0-9])", (ENVS / lock).read_text())[1:]
    assert len(packages) == len(locked)
    assert all("--hash=sha256:" in package for package in packages)


def test_no_package_is_in_both_locks() -> None:
    assert not pins(ENVS / "requirements.lock").keys() & pins(ENVS / "kubernetes.lock").keys()


def test_conda_environment_is_made_of_the_same_pins() -> None:
    conda = yaml.safe_load((ENVS / "videomae.yaml").read_text())
    assert conda["dependencies"][-1] == {"pip": ["-r requirements.txt"]}


def test_image_and_conda_have_the_python_that_the_locks_are_for() -> None:
    [python] = re.findall(r"CPython (\S+)\. By", (ENVS / "requirements.lock").read_text())
    assert f"python={python}" in (ENVS / "videomae.yaml").read_text()
    assert ("FROM", f"python:{python}-slim-bookworm") in instructions()


def test_image_installs_the_locks_by_their_hashes_and_nothing_else() -> None:
    run = " ".join(rest for word, rest in instructions() if word == "RUN")
    [installed] = re.findall(r"pip install (.*?)(?: &&|$)", run)
    assert installed.split() == [
        *("--no-cache-dir", "--require-hashes"),
        *("--requirement", "/opt/videomae/requirements.lock"),
        *("--requirement", "/opt/videomae/kubernetes.lock"),
    ]
    copied = [rest for word, rest in instructions() if word == "COPY"]
    assert copied == ["envs/requirements.lock envs/kubernetes.lock /opt/videomae/"]


def test_image_does_not_run_as_root() -> None:
    [user] = [rest for word, rest in instructions() if word == "USER"]
    assert int(user) > 0  # a number, which Kubernetes can tell from root's


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("development.txt", "requirements.txt"),
        ("slurm.txt", "requirements.txt"),
        ("storage.txt", "requirements.txt"),
        ("kubernetes.txt", "storage.txt"),
    ],
)
def test_no_place_pins_another_version_of_a_package(name: str, base: str) -> None:
    assert not pins(ENVS / base).keys() & pins(ENVS / name).keys()
    assert f"-r {base}" in (ENVS / name).read_text().splitlines()


# Answers Snakemake as Apptainer does, notes what it is asked, and runs the command in no container.
APPTAINER = """#!/bin/sh
[ "$1" != --version ] || { echo "apptainer version 1.4.0"; exit; }
echo "$@" >> "$(dirname "$0")/asked"
while [ "$1" != image.sif ]; do shift; done
shift
exec "$@"
"""


@pytest.mark.full
def test_jobs_run_in_the_container_that_config_names(workflow: Workflow) -> None:
    variants = {"tiny": {"checkpoint": "synthetic:tiny-finetuned", "config": {}}}
    options = ("results/checkpoints/tiny.json", "--sdm", "apptainer")
    folder = workflow.folder
    (folder / "apptainer").write_text(APPTAINER)
    (folder / "apptainer").chmod(0o755)
    places = [str(folder), str(Path(sys.executable).parent), os.environ["PATH"]]
    path = os.pathsep.join(places)
    workflow.configure(variants)
    outcome = workflow.run(*options, PATH=path)
    assert outcome.code == 1
    assert "--sdm apptainer: config.yaml names no container; make an image from" in outcome.output

    (folder / "image.sif").touch()
    workflow.configure(variants, container="image.sif")
    outcome = workflow.run(*options, PATH=path)
    assert outcome.code == 0, outcome.output
    asked = (folder / "asked").read_text().splitlines()
    steps = [re.findall(r"exec python (\S+\.py)", line)[0] for line in asked]
    assert [Path(step).name for step in steps] == ["download.py", "receipt.py"]
    # The container must see the scripts, which lie in Snakemake's cache of sources.
    seen = [re.findall(r"--bind (\S+)", line) for line in asked]
    assert all(any(map(step.startswith, places)) for step, places in zip(steps, seen, strict=True))
