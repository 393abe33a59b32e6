"""Tells how much memory the jobs of a run may share: the machine's, or less in a container."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

# Where Linux has the limits of a group of processes, by the version of control groups.
LIMITS = {1: ("sys/fs/cgroup/memory", "memory.limit_in_bytes"), 2: ("sys/fs/cgroup", "memory.max")}


def megabytes(root: Path = Path("/")) -> int:
    """Return the machine's memory, or the least limit of this process's control groups, in MB."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits(root)]) >> 20


def _limits(root: Path) -> Iterator[int]:
    """Yield the limits of this process's groups, in bytes; none but on Linux."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in groups:  # number:controllers:path, of version 2 without controllers
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        folder, name = LIMITS[1 if controllers else 2]
        group = PurePosixPath(path.lstrip("/"))
        # A group's own limit may be above its parents'. In a container the path may be the host's,
        # which is not there: its own group is the first then.
        for each in (group, *group.parents):
            with suppress(OSError, ValueError):  # no such group, or no limit: "max"
                yield int((root / folder / each / name).read_text())
