"""Runs ``videomae ARGUMENTS``, or ``-c PROGRAM``, without what Linux alone has, as on macOS.

torch and transformers are loaded before, since they are built for this system.
"""

import ctypes
import os
import sys
from typing import Any

import torch  # noqa: F401
from transformers import (  # noqa: F401
    AutoConfig,
    AutoImageProcessor,
    VideoMAEForPreTraining,
    VideoMAEForVideoClassification,
    VideoMAEImageProcessor,
    VideoMAEModel,
)

LINUX_ONLY = (
    *("posix_fadvise", "posix_fallocate", "sched_getaffinity", "sched_setaffinity"),
    *("copy_file_range", "splice", "memfd_create", "eventfd", "pidfd_open", "getrandom"),
    *("setns", "unshare", "fdatasync", "O_TMPFILE", "O_DIRECT", "O_PATH", "POSIX_FADV_DONTNEED"),
)
MISSING_IN_LIBC = ("prctl", "renameat2", "sync_file_range", "fallocate")


class WithoutLinux(ctypes.CDLL):
    """The C library without Linux's own functions."""

    def __getattr__(self, name: str) -> Any:
        """Return a function; raises `AttributeError` as `ctypes` does for one that isn't there."""
        if name in MISSING_IN_LIBC:
            raise AttributeError(f"symbol not found: {name}")
        return super().__getattr__(name)


def refuse(event: str, arguments: Any) -> None:
    """Refuse files that Linux makes up, as a hook of `sys.addaudithook`."""
    if event == "open" and str(arguments[0]).startswith(("/proc/", "/sys/")):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])


def main() -> None:
    """Take all of it away, then run the command or the program."""
    for name in LINUX_ONLY:
        if hasattr(os, name):
            delattr(os, name)
    setattr(ctypes, "CDLL", WithoutLinux)  # noqa: B010
    setattr(sys, "platform", "darwin")  # noqa: B010
    sys.addaudithook(refuse)
    from videomae.cli.main import main as command

    if sys.argv[1] == "-c":
        exec(sys.argv[2], {"argv": sys.argv[3:]})
    else:
        command(sys.argv[1:])


if __name__ == "__main__":
    main()
