"""Recognises checkpoint files by their first and last bytes, before they are parsed."""

import html
import re
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import IO, NamedTuple

from videomae.checkpoint import repository
from videomae.errors import ConversionError, one_line

# A zip archive, or the bare pickle that torch wrote before 1.6.
BEGINNINGS = (b"PK\x03\x04", b"\x80\x02")

LOCAL_HEADER = 30  # bytes of a zip entry's header, which end with two lengths (APPNOTE 4.3.7)

TORCHSCRIPT = "a TorchScript program, not a checkpoint; save its state dict"


def is_safetensors(path: Path) -> bool:
    """Return whether a file is safetensors: it begins with a length and a JSON object."""
    with path.open("rb") as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    return start[8:] == b"{" and length < path.stat().st_size


def _is_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # an archive that is split over several files
        return False


class Entry(NamedTuple):
    """The position of an archive's entry in its file, and its size, in bytes."""

    offset: int
    size: int


def entries(path: Path) -> dict[str, Entry] | None:
    """Return the entries of a zip archive by their names within its only folder.

    None for a file of torch before 1.6, which is no archive. Raises `ConversionError` for archives
    that torch does not write: torch does not compress entries, so that none is larger than the
    file and unpacking can't fill the memory.
    """
    if not _is_zip(path):
        return None
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            return _checked(archive, file, size)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ConversionError(f"the archive is damaged and can't be read: {error}") from error


def _checked(archive: zipfile.ZipFile, file: IO[bytes], size: int) -> dict[str, Entry]:
    """Return an archive's entries, checked; ``size`` is that of the file, in bytes."""
    found: dict[str, Entry] = {}
    if any(name.partition("/")[2] == "constants.pkl" for name in archive.namelist()):
        raise ConversionError(TORCHSCRIPT)
    for entry in archive.infolist():
        name = entry.filename.partition("/")[2]
        if name in found:
            raise ConversionError(f"the archive is damaged: it has entry {entry.filename} twice")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > size:
            raise ConversionError(
                f"torch did not write this archive: entry {entry.filename} is compressed, or "
                f"larger than the file ({entry.file_size:,} of {size:,} bytes); save it again "
                "with torch"
            )
        try:  # the header before its bytes must say the same as the directory
            archive.open(entry).close()
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise ConversionError(f"entry {entry.filename} is damaged: {error}") from error
        found[name] = Entry(_first_byte(file, entry.header_offset), entry.file_size)
        if sum(found[name]) > size:
            raise ConversionError(f"entry {entry.filename} is damaged: it ends after the file")
    return found


def _first_byte(file: IO[bytes], header: int) -> int:
    """Return where an entry's bytes begin: after its header, its name and the extra field."""
    file.seek(header + LOCAL_HEADER - 4)
    name, extra = struct.unpack("<HH", file.read(4))
    return header + LOCAL_HEADER + int(name) + int(extra)


def located(path: Path) -> Path:
    """Return the checkpoint of a path; for a DeepSpeed folder the states of ``latest``.

    A copy of a hub repository stays a folder: see `repository`. Raises `ConversionError` for other
    folders, and for DeepSpeed states that are split over several files.
    """
    if not path.is_dir() or repository.is_repository(path):
        return path
    latest = path / "latest"
    folder = _named_by(latest) if latest.is_file() else path
    states = sorted(folder.glob("mp_rank_*_model_states.pt"))
    if ranks := sorted(folder.glob("zero_pp_rank_*_model_states.pt")):
        raise ConversionError(
            f"ZeRO-3 has spread the weights over {len(ranks)} files such as {ranks[0].name}; "
            "gather them by the zero_to_fp32.py that DeepSpeed put into the folder, and give the "
            "file that this writes"
        )
    if len(states) != 1:
        raise ConversionError(
            f"the folder has {len(states)} DeepSpeed files mp_rank_NN_model_states.pt (looked in "
            f"{folder}), and not both {repository.CONFIG} and {repository.WEIGHTS} of a hub "
            "repository; give a file, or a folder with one or the other"
        )
    return states[0]


def _named_by(latest: Path) -> Path:
    """Return the folder beside a DeepSpeed file ``latest`` that this file names."""
    with latest.open("rb") as file:
        start = file.read(1024)
    name = start.decode(errors="replace").strip()
    plain = name.isprintable() and not set("{}") & set(name)  # as in `names.check_path`
    if len(name) > 255 or not plain or Path(name).name != name or name in ("", ".."):
        raise ConversionError(
            f"{latest} names {one_line(name, most=100)!r}, which is not a folder beside it; give "
            "the file with the states itself"
        )
    folder = latest.parent / name
    if not folder.resolve().is_relative_to(latest.parent.resolve()):
        raise ConversionError(f"{folder} leads outside {latest.parent}; give the file itself")
    return folder


def title(page: str) -> str | None:
    """Return a web page's title; None if it has none."""
    found = re.search(r"<title[^>]*>(.*?)</title>", page, re.DOTALL | re.IGNORECASE)
    return " ".join(html.unescape(found[1]).split())[:80] or None if found else None


def fault(path: Path) -> str | None:
    """Return why a file is no complete checkpoint, and what it is; None if it may be one."""
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
        return f"not a PyTorch checkpoint: the file begins with {start[:16]!r} ({size:,} bytes)"
    if not start.startswith(b"PK") and tarfile.is_tarfile(path):
        return f"a tar archive of torch before 0.1.11 ({size:,} bytes); save it with a newer torch"
    if start.startswith(b"PK") and not _is_zip(path):
        return f"a truncated file ({size:,} bytes, without the archive's end)"
    return None
