"""Tries one hostile file in a process of its own, with limits, and judges how that ended."""

import os
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.conftest import Outcome

Mutate = Callable[[Random, Path], object]  # writes a hostile file into a folder

CANARY = "canary"  # what hostile code would make, beside the folder that it runs in
LONGEST = 1200  # characters that a message may have
GIBIBYTE = 2**30


class WrongError(Exception):
    """What was tried ended in a way it must not."""


@dataclass(frozen=True)
class Limits:
    """What a tiny file may cost: seconds, and bytes of memory above the interpreter's."""

    seconds: float = 30
    memory: int = 3 * GIBIBYTE // 2


@dataclass(frozen=True)
class Case:
    """One hostile file: what is done to which kind of file, and the seed it is done with."""

    kind: str
    mutation: str
    seed: int


@dataclass(frozen=True)
class Verdict:
    """How it ended: ``refused``, ``right`` or ``BAD``; and what was said."""

    how: str
    said: str


def attempt(
    seed: int, mutate: Mutate, run: Callable[[], str | None], limits: Limits | None = None
) -> Verdict:
    """Make a hostile file in a fresh folder, run something on it, judge.

    ``run`` gives the message of a refusal, or None where the result was found right; it raises
    `WrongError`, or anything else, for what is bad.
    """
    with tempfile.TemporaryDirectory() as sandbox:
        folder = Path(sandbox) / "outer" / "folder"
        folder.mkdir(parents=True)
        mutate(Random(seed), folder)
        before = _listing(Path(sandbox))
        verdict = _in_a_child(folder, run, limits or Limits())
        made = _listing(Path(sandbox)) - before
        if any(CANARY in name for name in made):
            return Verdict("BAD", f"code was executed: {sorted(made)}")
        if made and verdict.how != "BAD":
            return Verdict("BAD", f"left behind: {sorted(made)} ({verdict})")
        return verdict


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _in_a_child(folder: Path, run: Callable[[], str | None], limits: Limits) -> Verdict:
    """Run in a fork, which has the libraries loaded already; a lost child is bad."""
    sys.stdout.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _be_the_child(folder, run, limits, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        ended, _, _ = select.select([pipe], [], [], limits.seconds)
        if not ended:
            os.kill(child, signal.SIGKILL)
        told = pipe.read().decode(errors="replace")
    _, status, used = os.wait4(child, 0)
    if not ended:
        return Verdict("BAD", f"still running after {limits.seconds} s")
    if status or not told:
        return Verdict("BAD", f"the process was lost: exit status {status}, {told}")
    how, _, said = told.partition("\n")
    baseline, _, said = said.partition("\n")
    taken = used.ru_maxrss * 1024 - int(baseline)
    if taken > limits.memory:
        return Verdict("BAD", f"took {taken / GIBIBYTE:.1f} GiB of memory: {how} {said}")
    return Verdict(how, said)


def _be_the_child(
    folder: Path, run: Callable[[], str | None], limits: Limits, writing: int
) -> None:
    pages, resident = Path("/proc/self/statm").read_text().split()[:2]
    page = resource.getpagesize()
    # Beyond the limit, so that exceeding it is seen; and not so far that the machine suffers.
    most = int(pages) * page + 4 * limits.memory
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(folder)
    # Temporary files count as left behind too, if they are.
    tempfile.tempdir = str(folder)
    try:
        said = run()
        told = f"refused\n{int(resident) * page}\n{said}"
        if said is None:
            told = f"right\n{int(resident) * page}\n"
    except WrongError as wrong:
        told = f"BAD\n{int(resident) * page}\n{wrong}"
    except BaseException:
        told = f"BAD\n{int(resident) * page}\n{traceback.format_exc()}"
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(told.encode(errors="replace"))
    os._exit(0)


def refusal(outcome: Outcome, names: str) -> str | None:
    """Give the message with which a command refused; None if it succeeded.

    Raises `WrongError` unless that is one short line at the end which names the file.
    """
    if outcome.code == 0:
        return None
    outcome.output.encode()  # as printing it does
    if "Traceback" in outcome.output or outcome.code != 1:
        raise WrongError(f"exit code {outcome.code}: {outcome.output}")
    start, _, said = outcome.output.rpartition("\n")[2].partition("error: ")
    if start:
        raise WrongError(f"the last line does not begin with error: {outcome.output!r}")
    return clear(said, names)


def clear(said: str, names: str) -> str:
    """Give a message back; raises `WrongError` unless it is one short line that names these."""
    if not said.isprintable():
        raise WrongError(f"not one printable line: {said!r}")
    if len(said) > LONGEST:
        raise WrongError(f"{len(said)} characters: {said[:300]} … {said[-300:]}")
    if not re.search(names, said):
        raise WrongError(f"does not name {names}: {said}")
    if re.search(r"MemoryError\W*$|Error: *$|: *$", said):
        raise WrongError(f"gives no reason: {said}")
    return said


def forget(*names: str) -> None:
    """Remove what a right conversion made, so that all else there is left behind."""
    for path in map(Path, names):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
