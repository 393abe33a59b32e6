"""config.yaml edited over finished results, and that run killed: does a report say what is so?"""

import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.adversarial.faults.kills import Kill, Outcome, differences, kill_and_resume
from tests.adversarial.faults.scene import LIMIT, Scene, Watch
from tests.conftest import DATA
from tests.standins.hub import HubStandIn

CHECKPOINT = DATA / "trained/v1-cls.pth"  # of five classes
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}  # so that sums are the same in every run


def configure(folder: Path, heads: int, first: str) -> Scene:
    """Write the config of two variants: one has so many heads, the other such a first label."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = [first, "run", "jump", "swim", "fall"]
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    entry = {"checkpoint": str(CHECKPOINT), "config": {"num_attention_heads": 4}}
    variants = {
        "heads": {**entry, "config": {"num_attention_heads": heads}},
        "labels": {**entry, "labels": "labels.txt"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump({"variants": variants}))
    return Scene(folder, HubStandIn(tokens={}), ENVIRONMENT)


@dataclass
class Finished:
    """Finished results, what a run after an edit makes of them in peace, and its seconds."""

    folder: Path
    right: dict[str, bytes]
    seconds: float

    def edited(self, folder: Path) -> Scene:
        """Give a copy of the results with an edited config.yaml."""
        shutil.copytree(self.folder, folder, symlinks=True)
        (folder / "output.txt").unlink()
        return configure(folder, heads=8, first="stroll")


def finished(place: Path) -> Finished:
    """Run before an edit and after it, undisturbed; the results of before stay."""
    before = configure(place / "before", heads=4, first="walk")
    made = Finished(before.folder, {}, 0.0)
    _peacefully(before)
    after = made.edited(place / "after")
    began = time.monotonic()
    _peacefully(after)
    made.seconds, made.right = time.monotonic() - began, after.kept()
    return made


def _peacefully(made: Scene) -> None:
    if made.snakemake().wait(LIMIT):
        raise RuntimeError(f"the undisturbed run failed:\n{made.output()}")


@dataclass
class ReportWatch(Watch):
    """Notes each moment in which a report stands beside a file that it does not describe.

    A file may be missing: a folder that is being made again is taken away first.
    """

    _hashes: dict[tuple[int, ...], str] = field(default_factory=dict)

    def look(self) -> None:
        """Hold the files of each folder to its report, if that is the same before and after."""
        for report in (self.scene.results / "verification").glob("*.json"):
            try:
                before, text = report.stat(), report.read_bytes()
                found = self._found(self.scene.results / "models" / report.stem)
                after = report.stat()
            except OSError:  # withdrawn meanwhile
                continue
            noted = json.loads(text)["sha256"]
            wrong = [name for name, sha256 in found.items() if noted.get(name) != sha256]
            if wrong and (before.st_ino, before.st_ctime_ns) == (after.st_ino, after.st_ctime_ns):
                self.wrong.append(f"{report.name} says verified beside another {wrong[0]}")

    def _found(self, folder: Path) -> dict[str, str]:
        hashes = {}
        for path in (*folder.glob("*.json"), *folder.glob("*.safetensors")):
            with path.open("rb") as file:  # another may stand there a moment later
                stat = os.fstat(file.fileno())
                key = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                if key not in self._hashes:
                    self._hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
            hashes[path.name] = self._hashes[key]
        return hashes


def survive(kill: Kill, folder: Path, before: Finished) -> Outcome:
    """Edit config.yaml over finished results, kill the run, resume, compare with the right end."""
    made = before.edited(folder)
    try:
        watch = ReportWatch(made, {})
        with watch.watching():
            step, faults = kill_and_resume(kill, made)
        faults += watch.wrong + differences(made.kept(), before.right)
        return Outcome(kill, step, faults)
    finally:
        made.end()
