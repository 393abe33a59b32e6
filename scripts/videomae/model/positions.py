"""The fixed position table that the authors' networks add; checkpoints don't store it."""

import numpy as np
import torch
from torch import Tensor


def sinusoid_positions(tokens: int, width: int) -> Tensor:
    """Return the fixed position table of shape (1, tokens, width), float32 computed in float64.

    Source: the authors' get_sinusoid_encoding_table: sine in even columns, cosine in odd ones, of
    position / 10000 ** (2 * (column // 2) / width).
    """
    column = np.arange(width)
    angle = np.arange(tokens)[:, None] / np.power(10000, 2 * (column // 2) / width)
    table = np.where(column % 2, np.cos(angle), np.sin(angle))
    return torch.from_numpy(table).float().unsqueeze(0)
