"""Query, key and value apart: the authors have one tensor of all three, which is put together."""

import re
from collections.abc import Mapping

from videomae.checkpoint.lazy_tensor import Entry, read

PARTS = ("q_proj", "k_proj", "v_proj")
QUERY = re.compile(r"(.+\.attn\.)q_proj\.weight")


def joined(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return entries with the authors' ``attn.qkv.weight`` in place of the three of each block.

    AdaptFormer's network has them so (models/vit_video.py at 6967d67).
    """
    found = dict(entries)
    for match in filter(None, map(QUERY.fullmatch, entries)):
        parts = [f"{match[1]}{part}.weight" for part in PARTS]
        whole = f"{match[1]}qkv.weight"
        if whole in entries or not all(part in entries for part in parts):
            continue  # to be refused by their names
        import torch

        found[whole] = torch.cat([read(found.pop(part)) for part in parts])
    return found
