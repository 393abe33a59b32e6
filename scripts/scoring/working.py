"""How do all videos get their logits?  Some are decoded while the network is at another."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from videomae.errors import ConversionError
from videomae.transfers import duration

from scoring import videos, views
from scoring.kept import Record, State
from scoring.lists import Entry
from scoring.models import Model
from scoring.protocols import Protocol

Given = TypeVar("Given")
Made = TypeVar("Made")


class Progress:
    """Says how far it is, a few times a minute: videos, videos per second, time left."""

    seconds = 15.0  # from one line to the next

    def __init__(self, name: str, done: int, total: int) -> None:
        self.name, self.before, self.done, self.total = name, done, done, total
        self.began = self.said = time.monotonic()

    def __call__(self) -> None:
        """Note that one more is done."""
        self.done += 1
        now = time.monotonic()
        if now - self.said >= self.seconds or self.done == self.total:
            self.said = now
            print(f"{self.name}: {self.line(now - self.began)}", file=sys.stderr, flush=True)

    def line(self, seconds: float) -> str:
        """Say how far it is after so many seconds."""
        said = [f"{self.done:,} of {self.total:,} videos"]
        if seconds > 0:
            rate = (self.done - self.before) / seconds
            said.append(f"{rate:,.2g} videos/s" if rate < 10 else f"{rate:,.0f} videos/s")
            if self.done < self.total:
                said.append(f"{duration((self.total - self.done) / rate)} left")
        return ", ".join(said)


def work(
    entries: Sequence[Entry],
    root: Path,
    protocol: Protocol,
    model: Model,
    lines: IO[str],
    progress: Callable[[], None],
    threads: int,
) -> None:
    """Compute the logits of each video and write its record, in the list's order."""
    decode = partial(_decode, root=root, protocol=protocol)
    for record, cut in ahead(decode, entries, threads):
        if cut is not None:
            logits = model.logits(cut.pixels)
            if not np.isfinite(logits).all():
                raise ConversionError(f"{record.path}: {model.path} gives NaN or infinity for it")
            record = Record(**{**vars(record), "logits": logits[cut.which]})
        lines.write(f"{record.line()}\n")
        lines.flush()
        progress()


def _decode(entry: Entry, root: Path, protocol: Protocol) -> tuple[Record, views.Cut | None]:
    """Read a video and cut its views; without them the record says why."""
    path = root / entry.path
    state = State.of(path)
    try:
        video = videos.read(
            path,
            partial(views.loaded, protocol),
            partial(views.resize, short_side=protocol.short_side),
        )
    except videos.UnreadableError as error:
        return Record(entry.path, state, unreadable=str(error)), None
    record = Record(entry.path, state, video.total, video.lacking)
    return record, views.cut(protocol, video.total, video.frames)


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
