"""The command ``videomae``: runs the chosen subcommand and reports its errors.

Exit codes are 0 for success, 1 for a refusal or failure, and 2 for wrong usage.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from videomae import __version__
from videomae.errors import ConversionError, one_line, said
from videomae.network.addresses import redacted
from videomae.workflow import run_lock

# Each subcommand in one line. Its module has the same name, with _ instead of -.
COMMANDS = {
    "inspect": "describe a checkpoint file and print the entry of config.yaml that converts it",
    "fetch": "download one file from Google Drive, the hub or https, or link a local one",
    "convert": "convert one checkpoint into a transformers folder",
    "verify": "check that a folder's outputs match the original checkpoint",
    "load": "load a folder with the installed release of transformers and compare it",
    "score": "measure the accuracy of a folder on labelled videos",
    "restore": "convert a transformers folder back to a checkpoint of the authors' code",
    "card": "write the model card of a verified folder",
    "push": "publish a verified folder on the hub as one commit",
    "status": "show the progress of every variant of a run",
    "resume": "unlock and restart a run that was killed",
    "check-config": "check a config.yaml from somebody else before Snakemake reads it",
    "receipt": "record a checkpoint's source, size and SHA-256, and check them",
    "snapshot": "download a published model folder from the hub",
    "release-table": "print which releases of transformers load which folders",
    "discard": "remove a downloaded checkpoint after its variant is done",
    "report-page": "write the report's page of one variant",
    "report-overview": "write the report's page of all variants, and the plots",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the subcommand of the command line; an error ends the process with one line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # so that a log tells which step a job is in
    os.environ.pop("MPLBACKEND", None)  # a notebook's, with which matplotlib may not be importable
    run_lock.hold_log(sys.stdout)
    try:
        _end_with_run(given)
        parsed = _parsed(given)
        parsed.run(parsed)
    except (ConversionError, OSError) as error:
        sys.exit(f"error: {one_line(redacted(' '.join(said(error).split())))}")


def _end_with_run(given: Sequence[str]) -> None:
    """Read ``--job`` first: the run may end while a subcommand's module is imported."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--job", type=int)
    with suppress(argparse.ArgumentError):  # which is said by the parser of all options
        if (run := parser.parse_known_args(given)[0].job) is not None:
            run_lock.end_with_run(run)


def _parsed(given: Sequence[str]) -> argparse.Namespace:
    """Return the options; wrong ones end the process with exit code 2.

    ``passed_on`` has the options that a subcommand passes on to another program.
    """
    parser = _parser(given)
    parsed, others = parser.parse_known_args(given)
    if others and not hasattr(parsed, "passed_on"):
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    parsed.passed_on = others
    return parsed


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser, with the options of the chosen subcommand only.

    Other modules are not imported, because importing torch takes seconds.
    """
    parser = argparse.ArgumentParser(
        prog="videomae",
        description="Convert the authors' VideoMAE checkpoints to transformers, verified.",
        epilog="`videomae COMMAND --help` shows the options and examples of a command.",
    )
    parser.add_argument("--version", action="version", version=f"videomae {__version__}")
    parser.add_argument(
        "--job",
        type=int,
        metavar="PID",
        help="end together with the parent process PID (used by the workflow)",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    chosen = next((word for word in given if word in COMMANDS), None)
    for name, line in COMMANDS.items():
        if name != chosen:
            commands.add_parser(name, help=line)
            continue
        module = import_module(f"videomae.cli.{name.replace('-', '_')}")
        command = commands.add_parser(
            name,
            help=line,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    main()
