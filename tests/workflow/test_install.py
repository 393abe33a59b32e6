"""Installed as users install it, run from any folder, and imported from a git repository."""

import os
import re
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import DATA, ROOT, Workflow, process
from tests.workflow.test_module import EXAMPLE

FILES = ("Snakefile", "rules", "scripts", "profiles", "envs", "report", "config.yaml")
PROJECT = ("pyproject.toml", "README.md", "LICENSE")


def copy_of_the_project(folder: Path) -> Path:
    """Give a copy, so that building leaves nothing in the project."""
    folder.mkdir()
    for name in (*FILES, *PROJECT):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(params=["installed", "editable"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """Give a virtual environment with the package, and the project that it was installed from.

    What the package needs is not installed again, but found where these tests find it.
    """
    project, made = copy_of_the_project(tmp_path / "project"), tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    packages = made / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    [others] = site.getsitepackages()
    (packages / "others.pth").write_text(f"{others}\n")
    editable = ["--editable"] if request.param == "editable" else []
    install: list[str | Path] = [
        made / "bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
    ]
    subprocess.run([*install, "--ignore-installed", *editable, project], check=True)
    return made, project


@pytest.mark.full
def test_command_rules_and_progress_line_are_the_installed_ones(
    environment: tuple[Path, Path], tmp_path: Path
) -> None:
    """In an empty folder, without a config.yaml and without activating anything."""
    made, project = environment
    empty = tmp_path / "empty"
    empty.mkdir()
    where: list[str | Path] = [
        made / "bin/python",
        "-c",
        "import videomae; print(videomae.__file__)",
    ]
    found = subprocess.run(where, cwd=empty, check=True, capture_output=True, text=True).stdout
    assert tmp_path in Path(found.strip()).parents
    checkpoint = DATA / "trained/v1-cls.pth"
    ended = subprocess.run(
        [
            *(made / "bin/python", "-m", "snakemake", "--snakefile", project / "Snakefile"),
            *("--directory", empty, "--cores", "1", "--printshellcmds", "--config"),
            *(f"checkpoint={checkpoint}", "config={num_attention_heads: 4}"),
        ],
        cwd=empty,
        env={**os.environ, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert re.search(rf"^Shell command: .*exec {made}/bin/videomae --job", said, re.MULTILINE)
    assert "\n1 of 1 verified\n" in said
    assert re.search(r"^v1-cls +verified, network assumed", said, re.MULTILINE)


def test_folder_without_a_config_takes_the_shipped_one(workflow: Workflow) -> None:
    outcome = workflow.run("--dry-run", "--quiet", "rules")
    assert outcome.code == 0, outcome.output
    assert re.search(r"^verify +13$", outcome.output, re.MULTILINE)


@pytest.mark.full
def test_workflow_is_imported_from_a_git_repository(tmp_path: Path) -> None:
    """From where Snakemake keeps its clone of a repository on GitHub, which is made beforehand."""
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
    cache = tmp_path / "cache"
    clone = cache / "snakemake/snakemake/source-cache/snakemake-git-cache/github.com/lab/videomae"
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, clone], check=True)
    for name in ("Snakefile", "config.yaml", "features.py"):
        shutil.copy(EXAMPLE / name, tmp_path)
    text = (tmp_path / "Snakefile").read_text()
    source = f'github("lab/videomae", path="Snakefile", commit="{commit}")'
    changed = re.sub(r'"\.\./\.\./Snakefile".*', source, text)
    assert changed != text
    (tmp_path / "Snakefile").write_text(changed)
    run = ("-m", "snakemake", "--cores", "1", "videomae_all")
    outcome = process(*run, environment={"XDG_CACHE_HOME": str(cache)}, cwd=tmp_path)
    assert outcome.code == 0, outcome.output
    assert (tmp_path / "results/verification/tiny-finetuned.json").exists()


def test_printed_shell_line_of_a_job_works_in_a_terminal(
    workflow: Workflow, checkpoints: dict[str, Path]
) -> None:
    shutil.copy(checkpoints["tiny-finetuned"], workflow.folder / "it.pth")
    workflow.configure({"it": {"checkpoint": "it.pth", "config": {}}})
    config = "config={num_attention_heads: 3, num_frames: 4, image_size: 32}"
    options = ("--config", "checkpoint=it.pth", config, "--until", "convert", "--printshellcmds")
    outcome = workflow.run(*options)
    assert outcome.code == 0, outcome.output
    [line] = re.findall(r"^Shell command: (unset .* convert .*)", outcome.output, re.MULTILINE)
    shutil.rmtree(workflow.results / "models")
    subprocess.run(["bash", "-c", line], cwd=workflow.folder, check=True)
    assert (workflow.results / "models/it/config.json").exists()
