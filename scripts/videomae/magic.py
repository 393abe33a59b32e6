"""Is this a checkpoint file at all?  Told by its first and last bytes, before it is parsed."""

import html
import re
import zipfile
from pathlib import Path

from videomae.errors import ConversionError

# A zip archive, or the bare pickle that torch wrote before 1.6.
BEGINNINGS = (b"PK\x03\x04", b"\x80\x02")


def is_safetensors(path: Path) -> bool:
    """Tell a safetensors file: the length of a JSON object, then the object."""
    with path.open("rb") as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    return start[8:] == b"{" and length < path.stat().st_size


def located(path: Path) -> Path:
    """Give the file that a path means: of a DeepSpeed folder, the states that ``latest`` names.

    Raises `ConversionError` for another folder, and for a model that is spread over several files.
    """
    if not path.is_dir():
        return path
    latest = path / "latest"
    folder = path / latest.read_text().strip() if latest.is_file() else path
    states = sorted(folder.glob("mp_rank_*_model_states.pt"))
    if len(states) != 1:
        raise ConversionError(
            f"a folder with {len(states)} of DeepSpeed's mp_rank_NN_model_states.pt in it (looked "
            f"in {folder}); give a file, or a folder with one"
        )
    return states[0]


def title(page: str) -> str | None:
    """Give a web page's title; None if it has none."""
    found = re.search(r"<title[^>]*>(.*?)</title>", page, re.DOTALL | re.IGNORECASE)
    return " ".join(html.unescape(found[1]).split())[:80] or None if found else None


def fault(path: Path) -> str | None:
    """Say why a file can be no whole checkpoint, with what it is instead; None if it may be one."""
    size = path.stat().st_size
    if not size:
        return "an empty file"
    with path.open("rb") as file:
        start = file.read(1 << 16)
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        heading = title(start.decode(errors="replace"))
        named = f", {heading!r}" if heading else ""
        return f"not a PyTorch checkpoint but a web page{named} ({size:,} bytes)"
    if not start.startswith(BEGINNINGS) and not is_safetensors(path):
        return f"not a PyTorch checkpoint: it begins with {start[:16]!r} ({size:,} bytes)"
    if start.startswith(b"PK") and not zipfile.is_zipfile(path):
        return f"cut short: {size:,} bytes, and the archive's end is not among them"
    return None
