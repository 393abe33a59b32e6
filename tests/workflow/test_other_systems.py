"""Nothing needs what Linux alone has: each step works with those calls taken away, as on macOS."""

import json
from pathlib import Path

import pytest
from videomae.files import sha256

from tests.conftest import ROOT, given, process

AS_ON_MACOS = ROOT / "tests/standins/as_on_macos.py"

STEPS = """
import json
from videomae.cli.main import main

for step in json.loads(argv[0]):
    main(step)
"""

# What a run does beside its steps.
AROUND = """
import os
from pathlib import Path
from videomae import atomic_replace, memory
from videomae.download import google_drive
from videomae.files import appearing, takes_links
from videomae.workflow import run_lock

here = Path(argv[0])
run_lock.hold(here)
assert run_lock.alive(here)
run_lock.end_with_run(os.getppid())
assert memory.megabytes() > 0
assert takes_links(here)
for text in ("one", "other"):  # the second takes the first one's place, in two steps
    with appearing(here / "folder") as new:
        new.mkdir()
        (new / "file").write_text(text)
assert not atomic_replace.exchange(here / "folder", here / "folder")
assert (here / "folder/file").read_text() == "other"
with google_drive._alone(here / "parts"):
    pass
"""


@pytest.mark.full
def test_steps_work_without_linux_and_write_the_same(
    checkpoints: dict[str, Path], converted: dict[str, Path], tmp_path: Path
) -> None:
    name = "tiny-finetuned"
    path, options, made = checkpoints[name], given(name), tmp_path / "made"
    steps: list[list[object]] = [
        ["fetch", path, tmp_path / "it.pth", "--checkpoint", "--receipt", tmp_path / "it.json"],
        ["inspect", path, *options],
        ["convert", path, made, *options],
        ["verify", path, made, *options],
        ["restore", made, tmp_path / "back.pth"],
    ]
    given_steps = json.dumps([list(map(str, step)) for step in steps])
    outcome = process(AS_ON_MACOS, "-c", STEPS, given_steps)
    assert outcome.code == 0, outcome.output
    for file in ("config.json", "model.safetensors", "preprocessor_config.json"):
        assert sha256(made / file) == sha256(converted[name] / file)
    assert (tmp_path / "back.pth").exists()


@pytest.mark.full
def test_runs_work_without_linux(tmp_path: Path) -> None:
    outcome = process(AS_ON_MACOS, "-c", AROUND, tmp_path)
    assert outcome.code == 0, outcome.output
