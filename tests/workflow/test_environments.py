"""The environments: each place that names versions names the same ones."""

import os
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Workflow

ENVS = ROOT / "envs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(text: str) -> dict[str, str]:
    """Read NAME==VERSION, whatever comes around it; names as packages are compared."""
    found = re.findall(r"^\s*\"?([\w.-]+)(?:\[\w+\])?==([\w.]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def locked(name: str) -> dict[str, str]:
    """Give what a lock pins."""
    return pins((ENVS / name).read_text())


def extra(name: str) -> dict[str, str]:
    """Give what an extra of pyproject.toml pins."""
    return pins("\n".join(PROJECT["optional-dependencies"][name]))


def instructions() -> list[tuple[str, str]]:
    """Give the Containerfile's instructions, each with what follows it on one line."""
    text = re.sub(r"^#.*\n", "", (ENVS / "Containerfile").read_text(), flags=re.MULTILINE)
    lines = filter(None, re.sub(r"\s*\\\n\s*", " ", text).splitlines())
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


@pytest.mark.parametrize(
    ("lock", "direct"),
    [
        ("requirements.lock", pins("\n".join(PROJECT["dependencies"]))),
        ("requirements.lock", {**extra("score"), **extra("report")}),
        ("kubernetes.lock", {**extra("storage"), **extra("kubernetes")}),
    ],
)
def test_lock_has_every_pin_and_a_hash_for_each_package(lock: str, direct: dict[str, str]) -> None:
    assert direct
    assert direct.items() <= locked(lock).items()
    packages = re.split(r"\n(?=[a-z0-9])", (ENVS / lock).read_text())[1:]
    assert len(packages) == len(locked(lock))
    assert all("--hash=sha256:" in package for package in packages)


def test_no_package_is_in_both_locks() -> None:
    assert not locked("requirements.lock").keys() & locked("kubernetes.lock").keys()


def test_conda_environment_is_made_of_the_same_pins() -> None:
    conda = yaml.safe_load((ENVS / "videomae.yaml").read_text())
    assert conda["dependencies"][-1] == {"pip": ["../..[score,report]"]}


def test_image_and_conda_have_the_python_that_the_locks_are_for() -> None:
    [python] = re.findall(r"CPython (\S+)\. By", (ENVS / "requirements.lock").read_text())
    assert f"python={python}" in (ENVS / "videomae.yaml").read_text()
    assert ("FROM", f"python:{python}-slim-bookworm") in instructions()


def test_image_installs_the_locks_by_their_hashes_and_nothing_else() -> None:
    run = " ".join(rest for word, rest in instructions() if word == "RUN")
    installed, package = re.findall(r"pip install (.*?)(?: &&| pip|$)", run)
    assert package.split() == ["--no-cache-dir", "--no-deps", "/opt/videomae/source"]
    assert installed.split() == [
        *("--no-cache-dir", "--require-hashes"),
        *("--requirement", "/opt/videomae/requirements.lock"),
        *("--requirement", "/opt/videomae/kubernetes.lock"),
    ]
    copied = [rest for word, rest in instructions() if word == "COPY"]
    assert copied == [
        "envs/requirements.lock envs/kubernetes.lock /opt/videomae/",
        "pyproject.toml README.md LICENSE /opt/videomae/source/",
        "scripts /opt/videomae/source/scripts",
    ]


def test_image_does_not_run_as_root() -> None:
    [user] = [rest for word, rest in instructions() if word == "USER"]
    assert int(user) > 0  # a number, which Kubernetes can tell from root's


def test_no_extra_pins_a_package_again() -> None:
    names = [*pins("\n".join(PROJECT["dependencies"]))]
    for group in PROJECT["optional-dependencies"]:
        names += extra(group)
    assert len(names) == len(set(names))


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
    assert "--sdm apptainer: config.yaml has no `container`; make an image from" in outcome.output

    (folder / "image.sif").touch()
    workflow.configure(variants, container="image.sif")
    outcome = workflow.run(*options, PATH=path)
    assert outcome.code == 0, outcome.output
    asked = (folder / "asked").read_text().splitlines()
    assert [re.findall(r"exec videomae (\w+)", line)[0] for line in asked] == ["fetch", "receipt"]
