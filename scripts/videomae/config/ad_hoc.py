"""Makes a variant of each file that ``checkpoint`` and ``checkpoints`` name, called after the file.

Your own checkpoint then needs no config.yaml: ``--config checkpoint=run7/best.pth``, or a pattern
for every epoch of a run.
"""

import glob
from pathlib import Path

from videomae import names
from videomae.config.entry import Entry, Stated
from videomae.config.models import Config
from videomae.download import sources
from videomae.errors import ConversionError, listing
from videomae.network import addresses


def variants(config: Config) -> dict[str, Entry] | None:
    """Return an entry for each file in ``checkpoint`` and ``checkpoints``; None without any.

    Raises `ConversionError` for a missing file, for a pattern that matches nothing, and for
    recorded outputs together with several checkpoints.
    """
    named = [*_checkpoint(config), *_matching(config)]
    if not named:
        if config.recorded is not None:
            raise ConversionError(
                "recorded: this key describes one checkpoint; give `checkpoint` too, or move "
                "`recorded` into an entry under variants"
            )
        return None
    named = list(dict.fromkeys(named))  # a file that two patterns match is one
    for source in map(sources.parse, named):
        if source.kind == "file" and not Path(source.address).exists():
            raise ConversionError(f"checkpoint: no such file: {Path(source.address).absolute()}")
    if config.recorded is not None and len(named) > 1:
        outputs = config.recorded if isinstance(config.recorded, str) else "this key"
        raise ConversionError(
            f"recorded: {outputs} describes one checkpoint, but there are "
            f"{len(named)}: {listing(named)}; give one, or write an entry under variants for each"
        )
    stated = {name: getattr(config, name) for name in Stated.model_fields}
    entries = zip(_names(named), named, strict=True)
    return {name: Entry.model_construct(checkpoint=path, **stated) for name, path in entries}


def _checkpoint(config: Config) -> list[str]:
    return [] if config.checkpoint is None else [config.checkpoint]


def _matching(config: Config) -> list[str]:
    """Return the files that ``checkpoints`` matches."""
    patterns = config.checkpoints or []
    files: list[str] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (it may be absolute)
        if not found:
            raise ConversionError(
                f"checkpoints: no file matches {pattern!r} (looked in {Path.cwd()})"
            )
        # A folder before the name keeps commands from reading it as an option.
        files += [f"./{path}" if path.startswith("-") else path for path in found]
    return files


def _names(named: list[str]) -> list[str]:
    """Return a name for each file: its own, after as many folders as make the names differ."""
    named = [
        addresses.shown(source).partition("#")[0] if "://" in source else source for source in named
    ]
    whole = [Path(source).absolute() for source in named]
    paths = [(path if path.is_dir() else path.with_suffix("")).parts[1:] for path in whole]
    for depth in range(1, max(map(len, paths)) + 1):
        found = [names.variant_name("-".join(parts[-depth:])) for parts in paths]
        if len(set(map(str.casefold, found))) == len(named):
            return found
    raise ConversionError(
        f"checkpoints: {listing(named)} would get the same name; write an entry under variants "
        "for each"
    )
