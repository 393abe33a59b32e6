"""Go on with a run that was killed: remove its lock, if no run is alive there, and start again.

Every option is Snakemake's.

Example:
  videomae resume --cores 4 --directory rehearsal
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from videomae.errors import ConversionError
from videomae.workflow.run_lock import none_alive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options; ``passed_on`` has those that are Snakemake's."""
    parser.allow_abbrev = False
    parser.add_argument("--directory", "-d", type=Path, help="where the run was started")
    parser.set_defaults(passed_on=[])


def run(arguments: argparse.Namespace) -> None:
    """Unlock the directory and become Snakemake."""
    directory = ["--directory", str(arguments.directory)] if arguments.directory else []
    snakemake = [sys.executable, "-m", "snakemake", *directory, *arguments.passed_on]
    with none_alive(arguments.directory or Path()):
        unlocked = subprocess.run([*snakemake, "--unlock"], check=False)
    if unlocked.returncode:
        raise ConversionError("Snakemake could not unlock the directory, for the reason above")
    os.execv(sys.executable, snakemake)
