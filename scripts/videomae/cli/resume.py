"""Resume a run that was killed: remove its lock if no run is alive there, and start it again.

All options are Snakemake's.

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
    """Add the command's options; ``passed_on`` has Snakemake's own."""
    parser.allow_abbrev = False
    parser.add_argument("--directory", "-d", type=Path, help="the directory of the run")
    parser.set_defaults(passed_on=[])


def run(arguments: argparse.Namespace) -> None:
    """Unlock the directory and become Snakemake."""
    directory = ["--directory", str(arguments.directory)] if arguments.directory else []
    snakemake = [sys.executable, "-m", "snakemake", *directory, *arguments.passed_on]
    with none_alive(arguments.directory or Path()):
        unlocked = subprocess.run([*snakemake, "--unlock"], check=False)
    if unlocked.returncode:
        raise ConversionError("Snakemake could not unlock the directory; the reason is above")
    os.execv(sys.executable, snakemake)
