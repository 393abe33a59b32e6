"""Check a config.yaml from somebody else before Snakemake reads it; no code in it is run.

Snakemake reads the file of --configfile before this workflow can check it, and runs code in a file
that has the key __use_yte__.

Example:
  videomae check-config theirs.yaml
"""

import argparse
from pathlib import Path
from typing import Any

import yaml

from videomae.config import settings, yaml_checks
from videomae.errors import about, listing, one_line
from videomae.model import labels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("config", nargs="+", type=Path, help="the files to check, as one config")


def run(arguments: argparse.Namespace) -> None:
    """Check the files; raises `ConversionError` with one line for an unsafe or faulty file."""
    for path in arguments.config:
        with about(path):
            yaml_checks.check(path)
    with about(listing(map(str, arguments.config))):
        found = check(merged(arguments.config))
    print(f"safe and valid; variants: {one_line(', '.join(found.variants))}")


def merged(paths: list[Path]) -> dict[str, Any]:
    """Return the content of several files, merged key by key as in Snakemake."""
    config: dict[str, Any] = {}
    for path in paths:
        text = path.read_text(encoding="utf-8")
        _update(config, yaml.load(text, yaml_checks.loader(text)))
    return config


def _update(known: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(known.get(key), dict):
            _update(known[key], value)
        else:
            known[key] = value


def check(config: dict[str, Any]) -> settings.Settings:
    """Return the settings as the workflow reads them; raises `ConversionError` for faults."""
    return settings.read(config, labels.SHIPPED)
