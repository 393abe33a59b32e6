"""Write a transformers folder as a checkpoint of the authors' code, to go on with there."""

import argparse
from pathlib import Path

from videomae import folder, reading, restoring
from videomae.architecture import LAYER_NORM_EPS
from videomae.command import add_overwrite, run
from videomae.errors import about, printable
from videomae.replacing import refuse_existing


def main() -> None:
    """Read the command line and restore."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the transformers folder")
    parser.add_argument("checkpoint", type=Path, help="the .pth file to write")
    add_overwrite(parser)
    arguments = parser.parse_args()
    if not arguments.checkpoint.is_dir():  # which is refused by another message
        refuse_existing(arguments.checkpoint, arguments.overwrite)
    with about(arguments.folder):
        restore(arguments.folder, arguments.checkpoint)


def restore(source: Path, destination: Path) -> None:
    """Restore one folder; raises `ConversionError`, and writes nothing, where it can't."""
    config = reading.read_config(source)
    architecture = reading.read_architecture(config)
    print(printable("\n".join(architecture.describe())))
    tensors, left_behind = reading.without_key_biases(reading.read_weights(source))
    if left_behind:
        print(printable(left_behind))
    note = restoring.write(destination, tensors, architecture, config.get(folder.REHEARSAL))
    print(f"{destination}: read back, bit by bit the {len(tensors)} tensors of {source}")
    if config["layer_norm_eps"] != LAYER_NORM_EPS:
        print(f"layer_norm_eps is {config['layer_norm_eps']}; the authors' is {LAYER_NORM_EPS}")
    if note:
        print(note)


if __name__ == "__main__":
    run(main)
