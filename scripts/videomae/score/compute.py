"""How do all videos get their logits?  Some are decoded while the network is at another."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

import numpy as np

from videomae.errors import ConversionError, listing, one_line
from videomae.network.progress import duration
from videomae.score import decoding
from videomae.score.logit_store import Kept, Record, State
from videomae.score.model import Model
from videomae.score.preprocessing import Way
from videomae.score.video_list import Entry
from videomae.score.views import Cut

Given = TypeVar("Given")
Made = TypeVar("Made")


class Progress:
    """Says how far it is, a few times a minute: videos, videos per second, time left."""

    seconds = 15.0  # from one line to the next

    def __init__(self, name: str, done: int, total: int) -> None:
        self.name, self.before, self.done, self.total = name, done, done, total
        self.began = self.said = time.monotonic()

    def __call__(self) -> None:
        """Record one more finished video."""
        self.done += 1
        now = time.monotonic()
        if now - self.said >= self.seconds or self.done == self.total:
            self.said = now
            said = one_line(f"{self.name}: {self.line(now - self.began)}")
            print(said, file=sys.stderr, flush=True)

    def line(self, seconds: float) -> str:
        """Return the line after so many seconds."""
        said = [f"{self.done:,} of {self.total:,} videos"]
        if seconds > 0:
            rate = (self.done - self.before) / seconds
            said.append(f"{rate:,.2g} videos/s" if rate < 10 else f"{rate:,.0f} videos/s")
            if self.done < self.total:
                said.append(f"{duration((self.total - self.done) / rate)} left")
        return ", ".join(said)


@dataclass(frozen=True)
class Work:
    """Where videos lie and logits are kept, in how many threads is decoded, which part it is."""

    root: Path
    output: Path
    threads: int
    part: tuple[int, int] = (1, 1)

    def compute(self, entries: Sequence[Entry], model: Model, way: Way) -> None:
        """Compute the logits of the videos that have none yet, in the list's order."""
        kept, paths = self._kept(model, way), [entry.path for entry in entries]
        there = kept.read(self.root, paths)
        left = [entry for entry in entries if entry.path not in there]
        if there:
            print(f"{len(there):,} of {len(entries):,} videos have cached logits")
        if left:
            progress = Progress(model.name, len(there), len(entries))
            with kept.adding("of".join(map(str, self.part))) as lines:
                self._compute(left, model, way, lines, progress)

    def records(self, entries: Sequence[Entry], model: Model, way: Way) -> dict[str, Record]:
        """Return what is there of all videos; refuse to go on without some."""
        paths = [entry.path for entry in entries]
        found = self._kept(model, way).read(self.root, paths)
        if absent := [path for path in paths if path not in found]:
            raise ConversionError(
                f"{listing(absent)}: no cached logits, or the video changed; run again without "
                "--merge, which computes only these"
            )
        return found

    def _kept(self, model: Model, way: Way) -> Kept:
        folder = self.output / f".{model.name}.views"
        depends_on = {**model.depends_on, "frames": decoding.FRAMES, **way.depends_on}
        return Kept(folder, depends_on)

    def _compute(
        self,
        entries: Sequence[Entry],
        model: Model,
        way: Way,
        lines: IO[str],
        progress: Callable[[], None],
    ) -> None:
        for record, cut in ahead(partial(_decoded, self.root, way), entries, self.threads):
            if cut is not None:
                logits = model.logits(cut.pixels)
                if not np.isfinite(logits).all():
                    raise ConversionError(f"{record.path}: {model.path} outputs NaN or infinity")
                record = replace(record, logits=logits[cut.which])
            lines.write(f"{record.line()}\n")
            lines.flush()
            progress()


def _decoded(root: Path, way: Way, entry: Entry) -> tuple[Record, Cut | None]:
    """Return a video's record and views; without views the record says why."""
    state = State.of(root / entry.path)
    try:
        video = decoding.read(root / entry.path, way.wanted, way.change)
    except decoding.UnreadableError as error:
        return Record(entry.path, state, unreadable=str(error)), None
    record = Record(entry.path, state, video.total, video.lacking)
    return record, way.cut(video.total, video.frames)


def ahead(make: Callable[[Given], Made], given: Iterable[Given], threads: int) -> Iterator[Made]:
    """Make one of each in threads, in order, and never more ahead than there are threads."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Made]] = deque()
        try:
            for each in given:
                waiting.append(pool.submit(make, each))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
