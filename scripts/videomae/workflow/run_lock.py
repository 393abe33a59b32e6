"""Detects whether a run is alive in a directory, and ends jobs together with their run.

Snakemake's own lock is a file that outlives a killed run. Without this module a killed run's jobs
would also go on and write the same files as the jobs of the next run.
"""

import ctypes
import fcntl
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from videomae.errors import ConversionError
from videomae.file_lock import lock
from videomae.files import not_through_link

PR_SET_PDEATHSIG = 1  # from Linux's prctl.h

# Every living run locks this file. The kernel releases the lock when the process ends.
ALIVE = Path(".snakemake/alive")
HELD: list[IO[str]] = []
TRIES = 10  # because `alive` holds the lock for a moment


def end_with_run(run: int) -> None:
    """Make the kernel kill this process when its parent, process ``run``, ends.

    Linux only: on other systems jobs outlive a killed run.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != run:  # it was dead before
        os.kill(os.getpid(), signal.SIGKILL)


def hold_log(log: IO[str]) -> None:
    """Lock a log while this process lives, so that `log_is_held` shows that it runs."""
    with suppress(OSError):  # no file, or a file system without locks
        if stat.S_ISREG(os.fstat(log.fileno()).st_mode):
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)


def log_is_held(path: Path) -> bool:
    """Return whether the job that writes a log is running, here or on another node."""
    try:
        with path.open() as log:
            fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def hold(directory: Path) -> None:
    """Mark a directory as having a living run while this process lives.

    Raises `ConversionError` while the directory is being unlocked.
    """
    HELD.append(
        _locked(directory, fcntl.LOCK_SH, "is being unlocked by `videomae resume`; try again later")
    )


@contextmanager
def none_alive(directory: Path) -> Iterator[None]:
    """Prevent runs from starting in a directory; raises `ConversionError` if one is alive there."""
    with _locked(directory, fcntl.LOCK_EX, "has a running Snakemake; wait for its end, or stop it"):
        yield


def alive(directory: Path) -> bool:
    """Return whether a run is alive in a directory; False where the file system has no locks."""
    path = directory / ALIVE
    if not path.exists():
        return False
    # NFS locks a file for one process alone only if that process may write to it.
    with path.open("r+" if os.access(path, os.W_OK) else "r") as file:
        try:
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _locked(directory: Path, kind: int, refusal: str) -> IO[str]:
    path = directory / ALIVE
    path.parent.mkdir(exist_ok=True)
    file = open(path, "a", opener=not_through_link)  # noqa: SIM115
    for _ in range(TRIES):
        with suppress(BlockingIOError):
            lock(file, kind | fcntl.LOCK_NB)
            return file
        time.sleep(0.05)
    file.close()
    raise ConversionError(f"{directory.absolute()} {refusal}")
