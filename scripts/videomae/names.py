"""Which names may variants and files have?  Others are refused in one line."""

import re
from collections.abc import Iterable

from videomae.errors import ConversionError, one_line

# A file may have 255 bytes of name. Besides a variant's name that of a file that is being made has
# `.`, `.pth`, the machine (64 at most), a process, a random part and `.new`: 91 in all.
MOST = 150
# Snakemake takes such a value for a rule that feeds itself.
REPEATED = re.compile(r"(.+?)\1{19,}$")

BY_ENTRY = " (of a checkpoint of your own: write an entry under variants, whose key is the name)"


def check_variants(names: Iterable[str]) -> None:
    """Raise `ConversionError` for a name that files can't have, and for two that may be one."""
    known: dict[str, str] = {}
    for name in names:
        shown = f"variants.{name[:40]}{'…' * (len(name) > 40)}"
        if len(name) > MOST:
            raise ConversionError(
                f"{shown}: the name has {len(name)} characters, and at most {MOST} fit into files' "
                f"names; give a shorter one{BY_ENTRY}"
            )
        if repeated := REPEATED.search(name):
            raise ConversionError(
                f"{shown}: the name ends with {repeated[1][:20]!r} over and over, which Snakemake "
                f"refuses; give another one{BY_ENTRY}"
            )
        other = known.setdefault(name.casefold(), name)
        if other != name:
            raise ConversionError(
                f"{shown}: differs from {other} in upper and lower case alone, and many file "
                f"systems hold one file of that name; give another one{BY_ENTRY}"
            )


def check_path(path: str) -> None:
    """Raise `ConversionError` for a path that rules or commands can't be given."""
    shown = one_line(path)
    if "{" in path or "}" in path:
        raise ConversionError(
            f"{shown}: Snakemake takes braces for wildcards; rename the file, or give a link to it "
            "with another name"
        )
    if not path.isprintable():
        raise ConversionError(
            f"{shown}: the path has control characters or bytes that are not UTF-8; rename the "
            "file, or give a link to it with another name"
        )
    if path.startswith("-"):
        raise ConversionError(f"{shown}: begins like an option; write ./{shown}")


def variant_name(text: str) -> str:
    """Replace what a variant's name can't hold."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-") or "checkpoint"
