"""The command ``videomae``: chooses the subcommand and reports its errors.

Exit codes are 0, 1 for what was refused or failed, and 2 for wrong usage.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from videomae import __version__
from videomae.errors import ConversionError, one_line, said
from videomae.network.addresses import redacted
from videomae.workflow import run_lock

# What each subcommand does, in one line. Its module has the same name, with _ in place of -.
COMMANDS = {
    "inspect": "say what a checkpoint file is, and which entry of config.yaml converts it",
    "fetch": "download one file from Google Drive, the hub or https, or link a local one",
    "convert": "convert one checkpoint into a transformers folder",
    "verify": "prove that a folder computes what the checkpoint's network computes",
    "load": "load a folder in this Python's release of transformers, and compare",
    "score": "measure the accuracy of a folder on labelled videos",
    "restore": "write a transformers folder as a checkpoint of the authors' code",
    "card": "write the model card of a verified folder",
    "push": "publish a verified folder on the hub as one commit",
    "status": "show how far every variant of a run is",
    "resume": "go on with a run that was killed",
    "check-config": "check a config.yaml from somebody else before Snakemake reads it",
    "receipt": "write down a checkpoint's source, size and SHA-256, and check them",
    "snapshot": "download a published model folder from the hub",
    "release-table": "draw which releases of transformers load which folders",
    "discard": "remove a downloaded checkpoint whose variant is done",
    "report-page": "write the report's page of one variant",
    "report-overview": "write the report's page of all variants, and the plots",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the subcommand that the command line names; ends the process with an error's one line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # so that a log tells which step a job is in
    run_lock.hold_log(sys.stdout)
    try:
        _end_with_run(given)
        parsed = _parsed(given)
        parsed.run(parsed)
    except (ConversionError, OSError) as error:
        sys.exit(f"error: {one_line(redacted(' '.join(said(error).split())))}")


def _end_with_run(given: Sequence[str]) -> None:
    """Read ``--job`` first: importing a subcommand may take seconds, in which a run may end."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--job", type=int)
    with suppress(argparse.ArgumentError):  # which is said by the parser of all options
        if (run := parser.parse_known_args(given)[0].job) is not None:
            run_lock.end_with_run(run)


def _parsed(given: Sequence[str]) -> argparse.Namespace:
    """Return the options; ends the process with exit code 2 for wrong ones.

    ``passed_on`` has those that a subcommand passes on to another program.
    """
    parser = _parser(given)
    parsed, others = parser.parse_known_args(given)
    if others and not hasattr(parsed, "passed_on"):
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    parsed.passed_on = others
    return parsed


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser, with the options of the one subcommand that is named.

    The others' modules are not imported, since some take seconds for torch.
    """
    parser = argparse.ArgumentParser(
        prog="videomae",
        description="Convert the authors' VideoMAE checkpoints to transformers, and prove it.",
        epilog="videomae COMMAND --help shows a command's options and examples",
    )
    parser.add_argument("--version", action="version", version=f"videomae {__version__}")
    parser.add_argument(
        "--job",
        type=int,
        metavar="PID",
        help="end as soon as the process that started this one, PID, ends (used by the workflow)",
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
