"""The fixed position table that the authors' networks add; few checkpoints store it."""

import numpy as np
import torch
from torch import Tensor

UNIT = 2.0**-24  # by half of which, at most, float32 rounds numbers from 0.5 to 1


def sinusoid_positions(tokens: int, width: int) -> Tensor:
    """Return the fixed position table of shape (1, tokens, width), float32 computed in float64.

    Source: the authors' get_sinusoid_encoding_table: sine in even columns, cosine in odd ones, of
    position / 10000 ** (2 * (column // 2) / width).
    """
    column = np.arange(width)
    angle = np.arange(tokens)[:, None] / np.power(10000, 2 * (column // 2) / width)
    table = np.where(column % 2, np.cos(angle), np.sin(angle))
    return torch.from_numpy(table).float().unsqueeze(0)


def in_float32(table: Tensor) -> Tensor:
    """Return which values of a table (1, tokens, width) may be the fixed ones, computed in float32.

    Rounding moves an angle within `float32_errors`, and a sine and its cosine by the same angle: so
    the sum of their squares stays 1.
    """
    _, tokens, width = table.shape
    near = (table - sinusoid_positions(tokens, width)).abs() <= float32_errors(tokens, width)
    squares = table[..., : width // 2 * 2].double().square()
    on_circle = (squares[..., 0::2] + squares[..., 1::2] - 1).abs() <= 8 * UNIT
    near[..., : width // 2 * 2] &= on_circle.repeat_interleave(2, dim=-1)
    return near


def float32_errors(tokens: int, width: int) -> Tensor:
    """Return how far from the table its values may be if they are computed in float32.

    Of shape (1, tokens, width). Rounding moves an angle by a share of itself, at most by half a
    unit in its exponent, which the logarithm of 10000 multiplies, and by two units in the power and
    in the quotient; a sine moves by no more than its angle, and is rounded itself.
    """
    column = np.arange(width)
    exponent = 2 * (column // 2) / width
    angle = np.arange(tokens)[:, None] / np.power(10000, exponent)
    errors = angle * UNIT * (np.log(10000) * exponent + 4) + 2 * UNIT
    return torch.from_numpy(errors).float().unsqueeze(0)
