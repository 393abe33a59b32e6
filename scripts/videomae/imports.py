"""Which modules does a script use?  So that a workflow can run again what an edit concerns."""

import hashlib
import re
from functools import cache
from pathlib import Path

# What stands before a module's name in ``library``, by package.
PREFIXES = {"videomae": "", "scoring": "scoring."}
IMPORT = re.compile(
    r"^[ ]*from (videomae|scoring)(?:\.(\w+))? import (\([^)]*\)|[^#\n]*)", re.MULTILINE
)


def used_by(script: str, library: dict[str, str]) -> list[str]:
    """Give the paths of the library's modules that a script imports, directly or through others.

    ``library`` maps a module's name, after ``scoring.`` if it is one of that package, to its path.
    Raises `KeyError` for a module that is not there.
    """
    used: dict[str, str] = {}
    waiting = ["__init__", *_imported(Path(script))]
    while waiting:
        name = waiting.pop()
        if name not in used:
            used[name] = library[name]
            waiting += _imported(Path(library[name]))
    return [used[name] for name in sorted(used)]


def digest(script: str, library: dict[str, str]) -> str:
    """Give what changes with the content of any module that a script uses; hexadecimal.

    As one value of a job it costs Snakemake a twentieth of what as many input files do.
    """
    content = hashlib.sha256()
    for path in used_by(script, library):
        content.update(Path(path).read_bytes())
    return content.hexdigest()


@cache  # Snakemake's every start asks for the same modules, of each of its rules
def _imported(path: Path) -> tuple[str, ...]:
    """Name what a module imports; a tenth of the time that parsing it as Python takes."""
    found: list[str] = []
    for package, module, names in IMPORT.findall(path.read_text(encoding="utf-8")):
        named = [module] if module else re.findall(r"(\w+)(?: as \w+)?\s*(?:,|$|\))", names, re.M)
        found += (f"{PREFIXES[package]}{name}" for name in ("__init__", *named))
    return tuple(found)
