"""Go on with a run that was killed: remove its lock, if no run is alive there, and start again.

Every option is Snakemake's, such as --cores 4 --directory FOLDER.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from videomae.command import run
from videomae.errors import ConversionError
from videomae.liveness import none_alive


def main() -> None:
    """Unlock the directory and become Snakemake."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--directory", "-d", type=Path, default=Path())
    directory = parser.parse_known_args()[0].directory
    snakemake = [sys.executable, "-m", "snakemake", *sys.argv[1:]]
    with none_alive(directory):
        unlocked = subprocess.run([*snakemake, "--unlock"], check=False)
    if unlocked.returncode:
        raise ConversionError("Snakemake could not unlock the directory, for the reason above")
    os.execv(sys.executable, snakemake)


if __name__ == "__main__":
    run(main)
