"""Load a folder with the installed release of transformers, and compare it with the checkpoint.

Example:
  videomae load best.pth out/ --config num_attention_heads=12
"""

import argparse

from videomae.checkpoint import reader
from videomae.cli.options import add_comparison, selection
from videomae.compatibility.loading import Loading
from videomae.errors import about
from videomae.model import labels
from videomae.recognition.recognize import read_architecture
from videomae.verify.checks import weights_dtype


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_comparison(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read the command line, load, write the report."""
    with about(arguments.checkpoint):
        opened = reader.open_checkpoint(arguments.checkpoint, selection(arguments))
        architecture = read_architecture(opened.shapes, opened.args, dict(arguments.config))
        variant = arguments.variant or arguments.folder.resolve().name
        dtype = arguments.dtype or weights_dtype.of_folder(arguments.folder)[0]
        listed = labels.chosen(arguments.labels)
        compared = arguments.labels is not None
        loading = Loading(variant, opened, architecture, arguments.folder, dtype, listed, compared)
        report = loading.run()
    release = f"transformers {report.facts['transformers']}"
    print(release, *report.checks, sep="\n")
    failing = f"{arguments.folder} fails in {release}"
    report.deliver(arguments.report, arguments.passed, failing)
    print(f"{arguments.folder}: passed in {release}; {report.said()}")
