"""What do the thirteen take?  Copied, converted, one at a time, and by the workflow."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import yaml
from videomae.checkpoint.reader import EVERYTHING
from videomae.cli.convert import convert as convert_checkpoint
from videomae.file_state import Watched

from tests.bench.measuring import Memory, clock, watched
from tests.conftest import CLI, ROOT
from tests.standins.drive import DriveStandIn

REHEARSAL = ROOT / "rehearsal/config.yaml"
RATE = 60e6  # bytes a second


class Zoo:
    """A folder with the rehearsal's checkpoints of some variants, and what is made from them."""

    def __init__(self, folder: Path, variants: list[str]) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.config: dict[str, Any] = yaml.safe_load(REHEARSAL.read_text())
        self.variants = variants or self.config["models"]
        self.memory = Memory()

    @property
    def checkpoints(self) -> list[Path]:
        """The checkpoints' paths."""
        return [self.store / f"{name}.pth" for name in self.variants]

    def make(self) -> None:
        """Make the checkpoints, those that are not there from an earlier time."""
        from videomae.download import synthetic_weights

        self.store.mkdir(parents=True, exist_ok=True)
        for path in self.checkpoints:
            if not path.exists():
                synthetic_weights.save(path.stem, path)

    def _empty(self, name: str) -> Path:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / name).mkdir()
        return self.folder / name

    def copy(self) -> float:
        """Copy the checkpoints with cp."""
        place = self._empty("made")
        return clock(lambda: subprocess.run(["cp", *self.checkpoints, place], check=True))

    def zeros(self) -> float:
        """Write as many bytes that are zeros, in two files at once: what the disk itself can do."""
        place = self._empty("made")
        half = sum(path.stat().st_size for path in self.checkpoints) >> 21
        # nocache: the disk begins at once. Past the page cache (direct) took half as long again.
        command = ["dd", "if=/dev/zero", "bs=1M", f"count={half}", "oflag=nocache"]

        def write(name: str) -> None:
            subprocess.run([*command, f"of={place / name}"], capture_output=True, check=True)

        with ThreadPoolExecutor(2) as pool:
            return clock(lambda: list(pool.map(write, ("one", "other"))))

    def convert(self) -> float:
        """Convert the checkpoints one after the other, in this process."""
        place = self._empty("made")
        return clock(lambda: convert(self.checkpoints, place))

    def convert_two_at_a_time(self) -> float:
        """Convert the checkpoints on two cores, as the workflow does, in this process."""
        place = self._empty("made")
        return clock(lambda: convert(self.checkpoints, place, 2))

    def convert_alone(self, memory: Memory) -> None:
        """Convert each in a process of its own."""
        place = self._empty("made")
        for path in self.checkpoints:
            command = [sys.executable, *CLI, "convert", str(path), str(place / path.stem)]
            watched(command, place, memory)

    def one_at_a_time(self) -> float:
        """Convert the checkpoints as a script does, in one process."""
        place = self._empty("made")
        command = [sys.executable, "-m", "tests.bench.one_at_a_time", str(place), str(REHEARSAL)]
        run = [*command, *map(str, self.checkpoints)]
        return clock(lambda: watched(run, place, self.memory, PYTHONPATH=str(ROOT)))

    def workflow(self, recorded_outputs: str) -> float:
        """Convert and verify the checkpoints by the workflow, on two cores."""
        sources = {path.stem: str(path) for path in self.checkpoints}
        return self._snakemake(recorded_outputs, sources)

    def over_a_line(self, *options: str) -> float:
        """Have the checkpoints come over a line of `RATE`, and convert and verify them."""
        ids = {path.stem: f"stand-in-{path.stem}" for path in self.checkpoints}
        sources = {name: f"gdrive:{file_id}" for name, file_id in ids.items()}
        with DriveStandIn(self.folder, RATE) as drive:
            for path in self.checkpoints:
                with path.open("rb") as file:
                    drive.add(ids[path.stem], mmap(file.fileno(), 0, access=ACCESS_READ))
            return self._snakemake("skip", sources, *options, **drive.environment)

    def _snakemake(
        self, recorded_outputs: str, sources: dict[str, str], *options: str, **environment: str
    ) -> float:
        place = self._empty("made")
        entries = self.config["variants"]
        variants = {name: {**entries[name], "checkpoint": of} for name, of in sources.items()}
        config = {**self.config, "variants": variants, "models": "all"}
        config["recorded_outputs"] = recorded_outputs
        (place / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        run = [*command, "--cores", "2", *options, "--quiet", "all"]
        return clock(lambda: watched(run, place, self.memory, **environment))


def convert(paths: list[Path], place: Path, at_once: int = 1) -> None:
    """Convert checkpoints as `videomae convert` does, without what it prints."""

    def work(path: Path) -> None:
        source = Watched(path, hashing=False)
        convert_checkpoint(path, place / path.stem, {}, None, "float32", EVERYTHING, source)

    with redirect_stdout(StringIO()), ThreadPoolExecutor(at_once) as pool:
        list(pool.map(work, sorted(paths, key=lambda path: -path.stat().st_size)))
