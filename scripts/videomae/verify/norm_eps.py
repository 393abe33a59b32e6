"""Measures and bounds the effect of transformers' eps in the last norm on the outputs.

A norm with eps e gives (x - mean) / sqrt(variance + e), times a weight, plus a bias. So 1e-5 in the
place of 1e-6 makes its values, before the bias, smaller by the share `shrinking(variance)`: what
follows is one linear layer, whose outputs move by that share of their distance from what a zero
gives. The smaller the variance the larger the share.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from videomae.model.architecture import LAYER_NORM_EPS, Architecture
from videomae.verify.comparison import TRANSFORMERS_FINAL_NORM_EPS, difference
from videomae.verify.reference import Reference


@dataclass(frozen=True)
class EpsEffect:
    """What transformers' eps does to the outputs of some clips, all of them taken together.

    ``measured`` is the largest difference of any output. The others are None for a network without
    such a norm: ``smallest_variance`` of what it is given, over clips and tokens; ``shrinks``, the
    share by which that makes its values smaller at most; ``bound``, what the outputs can move by
    where no variance is smaller and none is further from what a zero gives.
    """

    measured: float
    smallest_variance: float | None = None
    shrinks: float | None = None
    bound: float | None = None


def eps_effect(reference: Reference, hidden: Tensor, outputs: Tensor) -> EpsEffect:
    """Compare the authors' eps with transformers' on what the last norm is given.

    hidden: (clips, width) or (clips, tokens, width). outputs: the reference's, with transformers'
    eps.
    """
    authors = reference.logits(hidden, reference.eps)
    measured = difference(authors, outputs)
    if not has_final_norm(reference.architecture):
        return EpsEffect(measured)
    smallest = hidden.double().var(-1, unbiased=False).min().item()
    of_zero = reference.logits(torch.zeros_like(hidden), reference.eps)
    shrinks = shrinking(smallest, reference.eps)
    return EpsEffect(measured, smallest, shrinks, shrinks * difference(authors, of_zero))


def has_final_norm(architecture: Architecture) -> bool:
    """Return whether the network has a norm that transformers builds with an eps of its own."""
    pooled = architecture.kind == "classifier" and architecture.config["use_mean_pooling"]
    return architecture.kind == "pretraining" or bool(pooled)


def shrinking(variance: float, eps: float = LAYER_NORM_EPS) -> float:
    """Return the share by which transformers' eps shrinks a norm's values, at most 0.68.

    ``eps`` is the network's own; one above transformers' gives a negative share.
    """
    authors, theirs = variance + eps, variance + TRANSFORMERS_FINAL_NORM_EPS
    # 1 - sqrt(authors / theirs), without taking two numbers from each other that are nearly equal.
    share = (theirs - authors) / theirs
    return share / (1 + math.sqrt(authors / theirs))
