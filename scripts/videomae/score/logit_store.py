"""Caches the logits of videos, in one file of lines for each process.

A line is a video, whole or not taken: a process that is killed loses the video it was at. The
files' name has a digest of what the logits depend on, so that others are never taken for them.
"""

import base64
import fcntl
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from videomae.errors import ConversionError
from videomae.file_lock import lock
from videomae.files import not_through_link
from videomae.score.model import Logits


class State(NamedTuple):
    """By what a file is known to be the same still: bytes, and nanoseconds of its last change."""

    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "State":
        """Return a file's; of none what no file has."""
        try:
            found = path.stat()
        except OSError:
            return cls(-1, -1)
        return cls(found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class Record:
    """The result of a video: the logits of its views, (views, classes), or why there are none.

    ``total`` counts its frames, ``lacking`` says what is not there of a cut one.
    """

    path: str
    state: State
    total: int = 0
    lacking: str = ""
    unreadable: str = ""
    logits: Logits | None = None

    def line(self) -> str:
        """Return the record as one line."""
        fields: dict[str, Any] = {"path": self.path, "state": self.state}
        if self.logits is None:
            fields["unreadable"] = self.unreadable
        else:
            values = np.ascontiguousarray(self.logits, dtype="<f4")
            fields |= {"total": self.total, "lacking": self.lacking, "views": len(values)}
            fields["logits"] = base64.b64encode(values.tobytes()).decode()
        return json.dumps(fields)

    @classmethod
    def parse(cls, line: str) -> "Record":
        """Return the record in a line."""
        fields = json.loads(line)
        views = fields.pop("views", 0)
        fields["state"] = State(*fields["state"])
        if "logits" in fields:
            values = np.frombuffer(base64.b64decode(fields["logits"]), dtype="<f4")
            fields["logits"] = values.reshape(views, -1)
        return cls(**fields)


class Kept:
    """The records of one network and one protocol, in a folder."""

    def __init__(self, folder: Path, depends_on: Mapping[str, Any]) -> None:
        self.folder = folder
        text = json.dumps(depends_on, sort_keys=True)
        self.digest = hashlib.sha256(text.encode()).hexdigest()[:16]

    def read(self, root: Path, paths: Iterable[str]) -> dict[str, Record]:
        """Return what is there of videos that are still what they were, by path."""
        wanted = set(paths)
        found: dict[str, Record] = {}
        for file in sorted(self.folder.glob(f"{self.digest}.*.jsonl")):
            for record in _records(file):
                if record.path in wanted and record.state == State.of(root / record.path):
                    found.setdefault(record.path, record)
        return found

    @contextmanager
    def adding(self, part: str) -> Iterator[IO[str]]:
        """Open the file of a part of the list to write lines to; one process at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.digest}.{part}.jsonl"
        with open(path, "a+b", opener=not_through_link) as file:
            try:
                lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConversionError(
                    f"{path}: another process computes these videos; wait for it, or stop it"
                ) from error
            _drop_cut_line(file)
            with path.open("a", encoding="utf-8", buffering=1) as lines:
                yield lines


def _records(file: Path) -> Iterator[Record]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):  # not the one that a process was killed at
                yield Record.parse(line)


def _drop_cut_line(file: IO[bytes]) -> None:
    """Remove an incomplete last line."""
    end = file.seek(0, 2)
    at, step = end, 1 << 16
    while at:
        start = max(0, at - step)
        file.seek(start)
        if (found := file.read(at - start).rfind(b"\n")) >= 0:
            file.truncate(start + found + 1)
            return
        at = start
    file.truncate(0)
