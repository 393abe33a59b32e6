"""Check a config.yaml from somebody else before Snakemake reads it; nothing in it is run.

Snakemake reads a file that --configfile names before this workflow can look at it, and runs the
code in one that asks for it by __use_yte__.
"""

import argparse
from pathlib import Path
from typing import Any, cast

import yaml
from jsonschema import ValidationError
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate
from videomae import own, settings, written
from videomae.command import run
from videomae.errors import ConversionError, about, listing, one_line

PROJECT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Read the command line and check; exit code 1 with one line for a file to leave alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", nargs="+", type=Path, help="a file to check")
    arguments = parser.parse_args()
    for path in arguments.config:
        with about(path):
            written.check(path)
    with about(listing(map(str, arguments.config))):
        found = check(merged(arguments.config))
    print(f"plain YAML, and a config.yaml of this workflow: {one_line(', '.join(found.variants))}")


def merged(paths: list[Path]) -> dict[str, Any]:
    """Give what several files say together, as Snakemake merges them: key by key."""
    config: dict[str, Any] = {}
    for path in paths:
        _update(config, yaml.load(path.read_text(encoding="utf-8"), written.LOADER))
    return config


def _update(known: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(known.get(key), dict):
            _update(known[key], value)
        else:
            known[key] = value


def check(config: dict[str, Any]) -> settings.Settings:
    """Check a config as the workflow itself does; raises `ConversionError`."""
    own.type_values(config)
    try:
        validate(config, str(PROJECT / "config.schema.yaml"))
    except WorkflowError as error:
        raise ConversionError(settings.explain(cast(ValidationError, error.__context__))) from None
    labels = [path.stem for path in (PROJECT / "data/labels").glob("*.txt")]
    return settings.read(config, labels)


if __name__ == "__main__":
    run(main)
