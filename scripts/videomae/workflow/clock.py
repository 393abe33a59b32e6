"""Finds files from the future, after which nothing that is made now looks up to date.

Snakemake ends a step whose output is older than an input, and removes both.
"""

import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from videomae.config.variant import Variant
from videomae.errors import ConversionError, listing
from videomae.network.progress import duration
from videomae.workflow.states import STEPS

# Clocks of a file server and of its users often differ by a moment: for that a run waits.
MOMENT = 10.0  # seconds


def check(variants: Collection[Variant], results: Path, others: Iterable[str] = ()) -> None:
    """Raise `ConversionError` if files that a run reads or compares are from the future."""
    found = {path for variant in variants for path in _files(variant, results)}
    now = time.time()
    times = {path: _time(path) for path in [*found, *map(Path, others)]}
    late = sorted(
        (path for path in times if times[path] > now), key=lambda path: (-times[path], str(path))
    )
    if not late:
        return
    ahead = times[late[0]] - now
    if ahead > MOMENT:
        raise ConversionError(
            f"{listing(map(str, late))}: changed in the future by the time stamp "
            f"({datetime.fromtimestamp(times[late[0]]):%Y-%m-%d %H:%M:%S}, {duration(ahead)} ahead "
            "of this machine's clock), so that nothing made from it now would look up to date; "
            "correct the clock, or give the file today's time with `touch`"
        )
    time.sleep(ahead)


def _files(variant: Variant, results: Path) -> Iterator[Path]:
    yield from map(Path, [*variant.paths, *variant.existing_file, *variant.recorded_files.values()])
    yield from map(Path, filter(None, [variant.truth, variant.at_hand]))
    yield from (results / pattern.format(variant.name) for pattern in STEPS.values())


def _time(path: Path) -> float:
    """Return the time of the last change of a file, and of a link and its target the later one."""
    found = 0.0
    with suppress(OSError):
        found = path.lstat().st_mtime
        found = max(found, path.stat().st_mtime)
    return found
