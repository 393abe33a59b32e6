"""Locks open files by flock, and goes on without locks where a file system has none."""

import errno
import fcntl
import sys
from functools import cache
from typing import IO, Any

# As Lustre without the mount option `flock`, some FUSE file systems and NFS without lockd say it.
NO_LOCKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK}


def lock(file: IO[Any], kind: int) -> None:
    """Lock an open file; where its file system has no locks, say so once and go on.

    Raises `BlockingIOError` if ``kind`` has LOCK_NB and another process holds the lock.
    """
    try:
        fcntl.flock(file, kind)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        _warn(file.name, error.strerror or str(error))


@cache  # once for each file, not at each try
def _warn(name: str, reason: str) -> None:
    print(
        f"{name} can't be locked ({reason}): this file system has no locks. The work goes on "
        "without; start nothing else that writes here meanwhile",
        file=sys.stderr,
        flush=True,
    )
