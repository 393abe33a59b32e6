"""What does transformers do slowly, and how is the same had quickly?

It reads the files of all its models twice, to know which names they have: of the 3.1 s that its
import takes with torch's, once is 0.3. And it makes positions in Python, value by value: 0.7 to 2 s
for each model that is loaded, in every release so far. Here they are made at once, after
transformers has made the first few, and only if those are the same, bit by bit.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from transformers.utils import import_utils

from videomae.lockstep import with_values
from videomae.reference import sinusoid_positions


@contextmanager
def names_read_once() -> Iterator[None]:
    """Let transformers ask for a folder's names, which it remembers, and not for a file's in it."""
    original = import_utils.create_import_structure_from_path

    def of_folder(path: str | os.PathLike[str]) -> object:
        return original(path if Path(path).is_dir() else Path(path).parent)

    with with_values(import_utils, create_import_structure_from_path=of_folder):
        yield


with names_read_once():
    from transformers.models.videomae import modeling_videomae

TRIED = 8  # positions that transformers makes itself; each is computed by itself, whatever follows


@contextmanager
def quick_positions() -> Iterator[None]:
    """Let models be loaded with positions made at once, where they are those of transformers."""
    original = modeling_videomae.get_sinusoid_encoding_table

    def quick(tokens: int, width: int) -> Tensor:
        table = sinusoid_positions(tokens, width)
        same = torch.equal(table[:, :TRIED], original(min(tokens, TRIED), width))
        return table if same else original(tokens, width)

    with with_values(modeling_videomae, get_sinusoid_encoding_table=quick):
        yield
