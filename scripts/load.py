"""Load a folder in this Python's release of transformers, and compare with the checkpoint."""

import argparse
from pathlib import Path

from videomae import checkpoint, labels, precision
from videomae.architecture import read_architecture
from videomae.command import (
    add_dtype,
    add_given,
    add_reports,
    add_weights,
    run,
)
from videomae.errors import about
from videomae.loading import Loading


def main() -> None:
    """Read the command line, load, write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="the .pth file")
    parser.add_argument("folder", type=Path, help="the transformers folder")
    add_given(parser)
    add_weights(parser)
    add_dtype(parser, read=True)
    add_reports(parser)
    labels.add_option(parser, without="they are not compared")
    arguments = parser.parse_args()
    with about(arguments.checkpoint):
        opened = checkpoint.open_checkpoint(arguments.checkpoint, arguments.weights)
        architecture = read_architecture(opened.shapes, opened.args, dict(arguments.config))
        variant = arguments.variant or arguments.folder.resolve().name
        dtype = arguments.dtype or precision.of_folder(arguments.folder)[0]
        listed = None if arguments.labels == labels.NONE else arguments.labels
        compared = arguments.labels is not None
        loading = Loading(variant, opened, architecture, arguments.folder, dtype, listed, compared)
        report = loading.run()
    release = f"transformers {report.facts['transformers']}"
    print(release, *report.checks, sep="\n")
    failing = f"{arguments.folder} is wrong in {release}"
    report.deliver(arguments.report, arguments.passed, failing)
    print(f"{arguments.folder}: right in {release}; {report.said()}")


if __name__ == "__main__":
    run(main)
