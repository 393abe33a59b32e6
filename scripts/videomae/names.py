"""Checks the names of variants and files; refuses bad ones with one line."""

import re
from collections.abc import Iterable

from videomae.errors import ConversionError, one_line

# File names have at most 255 bytes. A temporary file's name adds `.`, `.pth`, the machine (64 at
# most), a process, a random part and `.new` to the variant's name: 91 bytes in all.
MOST = 150
# Snakemake treats such a value as a rule that feeds itself.
REPEATED = re.compile(r"(.+?)\1{19,}$")

BY_ENTRY = " (for your own checkpoint: write an entry under variants; its key is the name)"


def check_variants(names: Iterable[str]) -> None:
    """Raise `ConversionError` for a name that files can't have, or two that differ only in case."""
    known: dict[str, str] = {}
    for name in names:
        shown = f"variants.{name[:40]}{'…' * (len(name) > 40)}"
        if len(name) > MOST:
            raise ConversionError(
                f"{shown}: the name has {len(name)} characters, but file names have room for "
                f"{MOST}; choose a shorter one{BY_ENTRY}"
            )
        if repeated := REPEATED.search(name):
            raise ConversionError(
                f"{shown}: the name ends with many repetitions of {repeated[1][:20]!r}, which "
                f"Snakemake refuses; choose another one{BY_ENTRY}"
            )
        other = known.setdefault(name.casefold(), name)
        if other != name:
            raise ConversionError(
                f"{shown}: the name differs from {other} only in upper and lower case, and many "
                f"file systems treat both as one file; choose another one{BY_ENTRY}"
            )


def check_path(path: str) -> None:
    """Raise `ConversionError` for a path that Snakemake rules or commands can't use."""
    shown = one_line(path)
    if "{" in path or "}" in path:
        raise ConversionError(
            f"{shown}: the path has braces, which Snakemake treats as wildcards; rename the file, "
            "or give a link to it with another name"
        )
    if not path.isprintable():
        raise ConversionError(
            f"{shown}: the path has control characters or bytes that are not UTF-8; rename the "
            "file, or give a link to it with another name"
        )
    if path.startswith("-"):
        raise ConversionError(f"{shown}: the path begins like an option; write ./{shown}")


def variant_name(text: str) -> str:
    """Return a valid variant name: other characters become hyphens."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-") or "checkpoint"
