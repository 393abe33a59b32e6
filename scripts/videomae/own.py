"""Which variants do ``checkpoint`` and ``checkpoints`` mean?  One for each file, named after it.

So that a checkpoint of one's own needs no config.yaml: ``--config checkpoint=run7/best.pth``, or a
pattern for every epoch of a run.
"""

import glob
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from videomae import addresses, sources
from videomae.errors import ConversionError, listing

# What can be said of all of them at once, as in an entry under ``variants``.
SHARED = ("config", "labels", "weights", "dtype", "family")


def type_values(config: dict[str, Any]) -> None:
    """Give the values under ``config``, and numbers and switches elsewhere, their types.

    Snakemake's ``--config 'config={num_frames: 8}' 'push={dry_run: true}' keep_checkpoints=false``
    leaves them as text.
    """
    given = config.get("config")
    if isinstance(given, dict):
        texts = {name: value for name, value in given.items() if isinstance(value, str)}
        given.update({name: yaml.safe_load(text) for name, text in texts.items()})
    score = config.get("score")
    if isinstance(score, dict):
        numbers = {name: text for name, text in score.items() if str(text).isdecimal()}
        score.update({name: int(text) for name, text in numbers.items()})
    for place in (config, config.get("push"), score):  # whose other values are text
        if isinstance(place, dict):
            switches = {name: text for name, text in place.items() if text in ("true", "false")}
            place.update({name: yaml.safe_load(text) for name, text in switches.items()})


def variants(config: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Give an entry for each checkpoint that is named by itself; None if none is.

    Raises `ConversionError` for a file that isn't there, a pattern that nothing matches, and what
    was recorded of one checkpoint where there are several.
    """
    named = [config["checkpoint"]] if "checkpoint" in config else []
    patterns = config.get("checkpoints", [])
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (it may be absolute)
        if not found:
            raise ConversionError(
                f"checkpoints: nothing matches {pattern!r} (looked in {Path.cwd()})"
            )
        # A name that begins like an option is none with its folder.
        named += [f"./{path}" if path.startswith("-") else path for path in found]
    if not named:
        if "recorded" in config:
            raise ConversionError(
                "recorded: this belongs to one checkpoint; give that as `checkpoint`, or write "
                "`recorded` into an entry under variants"
            )
        return None
    named = list(dict.fromkeys(named))  # a file that two patterns match is one
    for source in map(sources.parse, named):
        if source.kind == "file" and not Path(source.address).exists():
            raise ConversionError(f"checkpoint: no such file: {Path(source.address).absolute()}")
    if "recorded" in config and len(named) > 1:
        raise ConversionError(
            f"recorded: {config['recorded']} belongs to one checkpoint, but there are "
            f"{len(named)}: {listing(named)}; give one, or write an entry under variants for each"
        )
    shared = {key: config[key] for key in (*SHARED, "recorded") if key in config}
    entries = zip(_names(named), named, strict=True)
    return {
        name: {"config": {}, "dtype": "float32", **shared, "checkpoint": path}
        for name, path in entries
    }


def _names(named: list[str]) -> list[str]:
    """Name each after its file, with as many folders before it as make the names differ."""
    named = [
        addresses.shown(source).partition("#")[0] if "://" in source else source for source in named
    ]
    whole = [Path(source).absolute() for source in named]
    paths = [(path if path.is_dir() else path.with_suffix("")).parts[1:] for path in whole]
    for depth in range(1, max(map(len, paths)) + 1):
        names = [variant_name("-".join(parts[-depth:])) for parts in paths]
        if len(set(map(str.casefold, names))) == len(named):
            return names
    raise ConversionError(
        f"checkpoints: {listing(named)} can't be told apart by name; write an entry under variants "
        "for each"
    )


def variant_name(text: str) -> str:
    """Replace what a variant's name can't hold."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-") or "checkpoint"
