"""Is this a PyTorch file at all?  Told by its first and last bytes, before anything parses it."""

import zipfile
from pathlib import Path

# A zip archive, or the bare pickle that torch wrote before 1.6.
BEGINNINGS = (b"PK\x03\x04", b"\x80\x02")


def fault(path: Path) -> str | None:
    """Say why a file can be no whole checkpoint, with what it is instead; None if it may be one."""
    size = path.stat().st_size
    if not size:
        return "an empty file"
    with path.open("rb") as file:
        start = file.read(64)
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return f"not a PyTorch checkpoint but a web page ({size:,} bytes)"
    if not start.startswith(BEGINNINGS):
        return f"not a PyTorch checkpoint: it begins with {start[:16]!r} ({size:,} bytes)"
    if start.startswith(b"PK") and not zipfile.is_zipfile(path):
        return f"cut short: {size:,} bytes, and the archive's end is not among them"
    return None
