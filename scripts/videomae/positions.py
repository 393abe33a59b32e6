"""How are transformers' positions made quickly?  It makes them in Python, value by value.

That takes 0.7 to 2 s for each model that is loaded, in every release so far. Here they are made at
once, after transformers has made the first few, and only if those are the same, bit by bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers.models.videomae import modeling_videomae

from videomae.reference import sinusoid_positions

TRIED = 8  # positions that transformers makes itself; each is computed by itself, whatever follows


@contextmanager
def quick_positions() -> Iterator[None]:
    """Let models be loaded with positions made at once, where they are those of transformers."""
    original = modeling_videomae.get_sinusoid_encoding_table

    def quick(tokens: int, width: int) -> Tensor:
        table = sinusoid_positions(tokens, width)
        same = torch.equal(table[:, :TRIED], original(min(tokens, TRIED), width))
        return table if same else original(tokens, width)

    modeling_videomae.get_sinusoid_encoding_table = quick
    try:
        yield
    finally:
        modeling_videomae.get_sinusoid_encoding_table = original
