"""The fixed position table that the authors' networks add; few checkpoints store it."""

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


def float32_errors(tokens: int, width: int) -> Tensor:
    """Return how far from the table its values may be if they are computed in float32.

    Of shape (1, tokens, width). Rounding moves an angle by a share of itself, at most by half a
    unit in its exponent, which the logarithm of 10000 multiplies, and by two units in the power and
    in the quotient; a sine moves by no more than its angle, and is rounded itself.
    """
    column = np.arange(width)
    exponent = 2 * (column // 2) / width
    angle = np.arange(tokens)[:, None] / np.power(10000, exponent)
    unit = 2.0**-24
    errors = angle * unit * (np.log(10000) * exponent + 4) + 2 * unit
    return torch.from_numpy(errors).float().unsqueeze(0)
