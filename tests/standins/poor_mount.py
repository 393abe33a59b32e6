"""Folders on file systems that lack locks, modes or links, by errors put into the C library."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")
# What mounts say, by the calls that fail.
LUSTRE = [{"flock": number} for number in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)]
BUCKETS = [{"chmod": number} for number in (errno.EPERM, errno.ENOTSUP)]
EXFAT = {"symlink": errno.EPERM, "link": errno.EPERM, "chmod": errno.EPERM}
SMB = {"symlink": errno.EOPNOTSUPP, "link": errno.EOPNOTSUPP}


def environment(built: Path, mount: Path, errors: dict[str, int]) -> dict[str, str]:
    """Give the environment in which a folder is such a mount, for a process and its children."""
    return {
        "LD_PRELOAD": str(built),
        "VIDEOMAE_POOR_MOUNT": str(mount),
        "VIDEOMAE_POOR_ERRORS": " ".join(f"{call}={number}" for call, number in errors.items()),
    }


def build(folder: Path, source: Path = SOURCE) -> Path:
    """Compile a library; skips the test where there is no compiler, or another C library."""
    if os.uname().sysname != "Linux" or not shutil.which("gcc"):
        pytest.skip("errors are injected by a library that gcc compiles, on Linux")
    library = folder / f"{source.stem}.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return library
