"""What tests share: tiny checkpoints, and ways to run commands and the workflow as a user does."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from filelock import FileLock
from videomae.cli.main import main
from videomae.download import synthetic_weights

ROOT = Path(__file__).parents[1]
DATA = Path(__file__).parent / "data"
CLI = ("-m", "videomae.cli.main")  # how `process` runs the command

# What the tiny networks' files can't tell.
GIVEN: dict[str, dict[str, Any]] = {
    "tiny-finetuned": {"num_attention_heads": 3, "num_frames": 4, "image_size": 32},
    "tiny-pretraining": {"num_attention_heads": 3, "decoder_num_attention_heads": 3},
}
EMPTY: Mapping[str, str] = {}
RUN = "ein Läuf"  # a path may hold spaces, and letters of any kind
SEVEN_LABELS = "".join(f"label {number}\n" for number in range(7))

torch.set_num_threads(1)  # the tests run on every core already


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit code and all that it printed."""

    code: int
    output: str


def command(name: str, *arguments: object) -> Outcome:
    """Run ``videomae NAME ARGUMENTS`` in this process, which has torch loaded."""
    printed, code = io.StringIO(), 0
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            main([name, *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
        printed.write("" if isinstance(stop.code, int) else str(stop.code))
    return Outcome(code, printed.getvalue())


def process(
    *arguments: object, environment: Mapping[str, str] = EMPTY, cwd: Path | None = None
) -> Outcome:
    """Run ``python ARGUMENTS`` as a process of its own, with more in its environment."""
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    return Outcome(ended.returncode, ended.stdout + ended.stderr)


def given(name: str) -> list[str]:
    """The ``--config`` options of a tiny network."""
    return ["--config", *(f"{key}={value}" for key, value in GIVEN[name].items())]


def snippets(card: str) -> list[str]:
    """Give the programs that a model card shows."""
    return re.findall(r"```python\n(.*?)```", card, re.DOTALL)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give the two tiny synthetic checkpoints; not to be written to."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in GIVEN:
        synthetic_weights.save(name, folder / f"{name}.pth")
    return {name: folder / f"{name}.pth" for name in GIVEN}


@pytest.fixture(scope="session")
def converted(
    checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Give the folders converted from the two; not to be written to."""
    folder = tmp_path_factory.mktemp("converted")
    for name, path in checkpoints.items():
        outcome = command("convert", path, folder / name, *given(name))
        assert outcome.code == 0, outcome.output
    return {name: folder / name for name in checkpoints}


@dataclass(frozen=True)
class Workflow:
    """A folder with a config.yaml of its own, in which the project's Snakefile is run."""

    folder: Path
    snakefile: Path = ROOT / "Snakefile"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def configure(self, variants: dict[str, Any], **more: Any) -> None:
        """Write config.yaml."""
        text = yaml.safe_dump({"variants": variants, **more}, sort_keys=False)
        (self.folder / "config.yaml").write_text(text)

    def run(self, *options: str, **environment: str) -> Outcome:
        """Run ``snakemake --cores 2`` there."""
        return process(
            *("-m", "snakemake", "--snakefile", self.snakefile, "--directory", self.folder),
            *("--cores", "2", *options),
            environment=environment,
        )


def until(come: Callable[[], bool], what: str, limit: float = 60.0) -> None:
    """Wait for something; raises if it does not come in so many seconds."""
    end = time.monotonic() + limit
    while not come():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come in {limit:.0f} s")
        time.sleep(0.1)


def jobs(outcome: Outcome) -> list[str]:
    """Give the jobs that a run executed, as ``rule`` or ``rule variant``, sorted."""
    found, rule = [], ""
    for line in outcome.output.splitlines():
        if line.startswith(("localrule ", "rule ")):
            rule = line.split()[1].rstrip(":")
            if rule == "all":
                continue
            found.append(rule)
        elif (match := re.match(r"    wildcards: .*\bvariant=([^,\s]+)", line)) and found:
            found[-1] = f"{rule} {match[1]}"
    return sorted(found)


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    """Give an empty folder to run the workflow in."""
    return Workflow(tmp_path)


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Run the workflow once for all tests (and all of xdist's workers) on three tiny variants."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "finished"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            folder.mkdir()
            for number in range(2):
                synthetic_weights.save("tiny-finetuned", folder / f"own-{number}.pth")
            (folder / "labels.txt").write_text(SEVEN_LABELS)
            configure_tiny(Workflow(folder))
            outcome = Workflow(folder).run()
            (folder / "outcome.txt").write_text(f"{outcome.code}\n{outcome.output}")
    return folder


@pytest.fixture
def finished(_finished: Path, tmp_path: Path) -> Workflow:
    """Give a folder in which all of three tiny variants has been done, to go on from."""
    shutil.copytree(_finished, tmp_path / RUN, symlinks=True)
    for link in (tmp_path / RUN / "results/checkpoints").glob("*.pth"):
        if link.is_symlink():  # it points into the original
            target, made = tmp_path / RUN / link.readlink().name, link.lstat()
            link.unlink()
            link.symlink_to(target)
            os.utime(link, ns=(made.st_atime_ns, made.st_mtime_ns), follow_symlinks=False)
    return Workflow(tmp_path / RUN)


@pytest.fixture
def finished_outcome(_finished: Path) -> Outcome:
    """How the first run of `finished` ended."""
    code, _, output = (_finished / "outcome.txt").read_text().partition("\n")
    return Outcome(int(code), output)


def configure_tiny(
    workflow: Workflow, edit: Callable[[dict[str, Any]], None] | None = None
) -> None:
    """Write the config of `finished`: two classifiers from files and one pre-training model."""
    variants: dict[str, Any] = {
        "own-0": {"checkpoint": "own-0.pth", "config": dict(GIVEN["tiny-finetuned"])},
        "own-1": {
            "checkpoint": "own-1.pth",
            "config": dict(GIVEN["tiny-finetuned"]),
            "labels": "labels.txt",
        },
        "tiny-pretraining": {
            "checkpoint": "synthetic:tiny-pretraining",
            "config": dict(GIVEN["tiny-pretraining"]),
        },
    }
    if edit:
        edit(variants)
    workflow.configure(variants)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Give an environment in which clients keep their caches apart."""
    yield {"HOME": str(tmp_path / "home"), "HF_HOME": str(tmp_path / "hf")}
