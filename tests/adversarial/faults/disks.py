"""Too little disk, or none to write to: is it said, is nothing wrong left, does a rerun finish?"""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.adversarial.faults.kills import differences
from tests.adversarial.faults.scene import LIMIT, Scene, Watch, scene

NO_SPACE = re.compile(r"No space left|MB (are )?free|disk: .*; free .* more")


@contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[Callable[[], None]]:
    """Put a small disk at a place while the block runs; gives what makes it large enough."""
    place.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", place)
    try:
        yield lambda: _mount("-o", "remount,size=1g", place)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def _mount(*options: str | Path) -> None:
    """Mount, which needs root."""
    subprocess.run(["mount", *options], check=True)


@dataclass(frozen=True)
class Full:
    """A disk of so many kilobytes for `results`, or for the whole folder."""

    kilobytes: int
    whole: bool

    def __str__(self) -> str:
        return f"{self.kilobytes} kB for {'everything' if self.whole else 'results'}"


def survive(full: Full, folder: Path, right: dict[str, bytes]) -> list[str]:
    """Run on a disk that is too small, look at what it left, enlarge it, and resume."""
    with (
        small_disk(folder if full.whole else folder / "results", full.kilobytes) as enlarge,
        scene(folder) as made,
    ):
        watch = Watch(made, right)
        with watch.watching():
            faults = _told(made, made.snakemake().wait(LIMIT), right)
            enlarge()
            if made.resume().wait(LIMIT):
                faults.append(f"resuming failed:\n{made.output()}")
        return faults + watch.wrong + differences(made.kept(), right)


def _told(made: Scene, code: int, right: dict[str, bytes]) -> list[str]:
    """A run that failed says that it was the space; one that didn't has everything."""
    if not code:
        return [] if made.kept() == right else ["the run passed with files missing"]
    output = made.output()
    faults = [] if NO_SPACE.search(output) else [f"no word of space:\n{output}"]
    # Of our own commands: Snakemake's log of itself is on the full disk too, and it complains so.
    logs = (made.results / "logs").rglob("*.log")
    return faults + [
        f"{log} has a traceback" for log in logs if "Traceback (most recent" in log.read_text()
    ]
