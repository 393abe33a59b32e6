"""Packs the files of a hub repository into one checkpoint file, so that it has one checksum."""

import json
from pathlib import Path

from videomae.checkpoint import reader, repository, safetensors_file
from videomae.errors import about
from videomae.files import saving, sha256
from videomae.network.progress import Progress


def pack(folder: Path, path: Path, progress: Progress) -> None:
    """Write a repository's tensors with its config.json as metadata; equal files give equal bytes.

    The metadata also has the SHA-256 of each file, as the hub shows them. Raises `ConversionError`
    for faulty or missing files and for weights that are not finite.
    """
    contents, _ = reader.load(folder)
    metadata = {
        "format": "pt",
        repository.CONFIG: (folder / repository.CONFIG).read_text(encoding="utf-8"),
        "files": json.dumps({file.name: sha256(file) for file in repository.files(folder)}),
    }
    tensors = contents[repository.WEIGHTS]
    with about(folder), saving(path):
        try:
            safetensors_file.write(path, tensors, metadata, progress)
        except safetensors_file.NotFiniteError:
            reader.check_finite(tensors)  # to name the tensors
            raise
