"""Which modules does a script use?  So that a workflow can run again what an edit concerns."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# What stands before a module's name in ``library``, by package.
PREFIXES = {"videomae": "", "scoring": "scoring."}


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
    return tuple(_read(path))


def _read(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        package, _, module = (getattr(node, "module", None) or "").partition(".")
        if isinstance(node, ast.ImportFrom) and package in PREFIXES:
            named = [module] if module else [alias.name for alias in node.names]
            yield from (f"{PREFIXES[package]}{name}" for name in ("__init__", *named))
