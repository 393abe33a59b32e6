"""Check a config.yaml from somebody else before Snakemake reads it; nothing in it is run.

Snakemake reads a file that --configfile names before this workflow can look at it, and runs the
code in one that asks for it by __use_yte__.

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
    parser.add_argument("config", nargs="+", type=Path, help="a file to check")


def run(arguments: argparse.Namespace) -> None:
    """Read the command line and check; exit code 1 with one line for a file to leave alone."""
    for path in arguments.config:
        with about(path):
            yaml_checks.check(path)
    with about(listing(map(str, arguments.config))):
        found = check(merged(arguments.config))
    print(f"plain YAML, and a config.yaml of this workflow: {one_line(', '.join(found.variants))}")


def merged(paths: list[Path]) -> dict[str, Any]:
    """Return what several files say together, as Snakemake merges them: key by key."""
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
    """Check a config as the workflow itself does; raises `ConversionError`."""
    return settings.read(config, labels.SHIPPED)
