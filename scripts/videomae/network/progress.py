"""Prints the progress of a transfer a few times a minute, on a terminal or in a log."""

import sys
import time
from typing import Any

UNITS = {"GB": 1e9, "MB": 1e6, "kB": 1e3}


class Progress:
    """Says how far a transfer is: as it begins, a few times a minute, and when all has come.

    It is called with how many bytes are there, and how many there will be if that is known.
    """

    seconds = 15.0  # from one line to the next

    def __init__(self, name: str) -> None:
        self.name = name
        self.said: float | None = None
        self.began, self.before = 0.0, 0

    def __call__(self, done: int, total: int | None) -> None:
        """Record that so many bytes are there; print a line if it is time."""
        now = time.monotonic()
        if self.said is None:
            self.began, self.before = now, done  # this may go on from what an earlier try brought
        elif now - self.said < self.seconds and done != total:
            return
        self.said = now
        line = self.line(done, total, now - self.began)
        print(f"{self.name}: {line}", file=sys.stderr, flush=True)

    def line(self, done: int, total: int | None, seconds: float) -> str:
        """Return the line after so many seconds: amount, speed and remaining time."""
        unit, size = _unit(total or done)
        of = f" of {total / size:,.1f}" if total else ""
        said = [f"{done / size:,.1f}{of} {unit}"]
        come = done - self.before
        if come > 0 and seconds > 0:
            unit, size = _unit(come / seconds)
            said.append(f"{come / seconds / size:,.1f} {unit}/s")
            if total and total > done:
                said.append(f"{duration((total - done) * seconds / come)} left")
        return ", ".join(said)


def _unit(amount: float) -> tuple[str, float]:
    """Return the largest unit that an amount has one of, and its bytes."""
    return next(((unit, size) for unit, size in UNITS.items() if amount >= size), ("kB", 1e3))


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def bar(progress: Progress) -> Any:
    """Make what the hub's client takes for a class of bars, and tell by it how far it is."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *given: Any, name: str | None = None, **named: Any) -> None:
            # Others count files, or what went over the line, which Xet compresses.
            self.counts = named.get("unit") == "B" and not (name or "").endswith(".transfer")
            # It draws nothing.
            super().__init__(*given, **{**named, "disable": True})  # type: ignore[no-untyped-call]
            if self.counts and self.total:
                progress(self.n, self.total)

        def update(self, n: float | None = 1) -> None:
            with self.get_lock():  # a folder's files come at once
                self.n += n or 0
                if self.counts:
                    progress(self.n, self.total)

    return Bar
