"""What somebody puts in a checkpoint's place is theirs: no run deletes it, whatever it is told."""

import os
from pathlib import Path

NAME = "tiny-pretraining"  # the one of `finished` that is made, and so downloaded in effect


def put_over(path: Path, content: bytes) -> None:
    """Write over a file in place, as ``cp -p`` does: its inode, size and time stay."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def other(path: Path) -> bytes:
    """Give a checkpoint's bytes with the last bit of a weight flipped: as many, and still read."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    return bytes(content)
