"""Checks that the model's outputs match the reference on several clips, step by step."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from videomae.checkpoint.lazy_tensor import Values
from videomae.model.architecture import tokens
from videomae.verify import clips
from videomae.verify.checks.model_outputs import outputs_of_each_clip, outputs_of_its_kind
from videomae.verify.comparison import (
    MASK_RATIO,
    OUTPUT_TOLERANCE,
    STEP_TOLERANCE,
    TRANSFORMERS_FINAL_NORM_EPS,
    Run,
    difference,
    for_clips,
    forward,
    logits,
    run,
    scale,
    worst,
)
from videomae.verify.expected import ExpectedNetwork
from videomae.verify.norm_eps import eps_effect
from videomae.verify.reference import BEFORE_FINAL_NORM, LOGITS, Reference
from videomae.verify.report import Check, Report, at_most

EPS_EFFECT_LIMIT = 1e-2  # absolute; 1e-6 to 1.5e-4 on trained models
# Of the outputs' root mean square; 2.8e-5 for a base network with random weights.
POSITIONS_LIMIT = 1e-3
# Of the outputs' root mean square; up to 9e-3 and 9e-2 on trained tiny models.
ROUNDING_LIMITS = {"float16": 5e-2, "bfloat16": 3e-1}


def checks(
    model: Any, network: ExpectedNetwork, processed: Tensor | None, report: Report
) -> Iterator[Check]:
    """Compare a loaded model with the authors' network: every step, every element of the outputs.

    ``processed`` are the folder's processor's pixels of the usual clip. The figures go into
    ``report``.
    """
    # In float32 the original tensors, so that folding is proven and not presumed.
    reference = network.reference(network.stored if network.rounded else network.proven)
    proving = clips.proving(network.config)
    try:
        ran = run(model, reference, proving)
    except Exception as error:  # a model built wrongly can fail anywhere
        yield Check("function", False, message=f"the folder's model does not run: {error}")
        return
    if not ran.expected.isfinite().all():
        yield _not_finite(network)
        return
    report.max_abs_difference, report.tolerance = ran.difference(), ran.tolerance()
    frames, size = proving[0].shape[:2]
    report.proven_on = {"clips": list(clips.PROVING), "frames": frames, "image_size": size}
    report.layers = ran.comparison.differences
    report.preprocessing_difference = _preprocessing_difference(model, network, processed)
    yield from outputs_of_each_clip("function", ran)
    first = ran.comparison.first_parting()
    yield at_most("every layer", ran.comparison.largest(), STEP_TOLERANCE, first)
    yield from outputs_of_its_kind(model, reference, ran, proving)
    yield _eps_effect(reference, ran, report)
    if network.rounded_tables:
        yield _positions_effect(network, report)
    if network.rounded:
        yield from _rounding_effect(network, ran, report)


def _not_finite(network: ExpectedNetwork) -> Check:
    """Fail, and name the checkpoint's tensor with the largest value."""
    sizes = {n: t.abs().max().item() for n, t in Values(network.original).items()}
    name = worst(sizes)
    message = f"the authors' network itself gives NaN or infinity; {name} has {sizes[name]:.3g}"
    return Check("function", False, message=message)


def _preprocessing_difference(
    model: Any, network: ExpectedNetwork, processed: Tensor | None
) -> float | None:
    """Return the check of the folder's processor: its effect on the outputs of the same model."""
    if processed is None:
        return None
    config = network.config
    clip = clips.synthetic_clip(config["num_frames"], config["image_size"])
    pixels = clips.normalised(clip, network.architecture.pixels)
    if processed.shape != pixels.shape:  # nor would the model take them
        return float("inf")
    if torch.equal(processed, pixels):
        return 0.0
    mask = None
    if network.architecture.kind == "pretraining":
        mask = clips.tube_mask(config, MASK_RATIO).to(network.device)
    with for_clips(model, config["image_size"], tokens(config)):
        both = [forward(model, one.to(network.device), mask) for one in (processed, pixels)]
    return difference(*map(logits, both))


def _eps_effect(reference: Reference, ran: Run, report: Report) -> Check:
    """Return the check of the effect of transformers' eps in the final norm on the outputs."""
    effect = eps_effect(reference, ran.comparison.expected[BEFORE_FINAL_NORM], ran.expected)
    report.eps_effect, report.eps_bound = effect.measured, asdict(effect)
    message = (
        f"transformers' eps in the final norm moves the outputs by {effect.measured:.3g} "
        f"(limit {EPS_EFFECT_LIMIT:g}), so the outputs can't match the authors' network"
    )
    return at_most("eps effect", effect.measured, EPS_EFFECT_LIMIT, message)


def _positions_effect(network: ExpectedNetwork, report: Report) -> Check:
    """Return the check of the effect of exact positions, for a clip of all tokens."""
    config, mask = network.config, None
    clip = clips.synthetic_clip(config["num_frames"], config["image_size"])
    pixels = clips.normalised(clip, network.architecture.pixels).to(network.device)
    if network.architecture.kind == "pretraining":
        mask = clips.tube_mask(config, MASK_RATIO).to(network.device)
    stored, exact = (
        dict(network.reference(tensors).steps(pixels, mask))[LOGITS]
        for tensors in (network.original, network.proven)
    )
    report.positions_effect = difference(exact, stored)
    return at_most("positions effect", report.positions_effect, POSITIONS_LIMIT * scale(stored))


def _rounding_effect(network: ExpectedNetwork, ran: Run, report: Report) -> Iterator[Check]:
    """Return the check of the effect of rounded weights on the outputs."""
    original = _logits(network.reference(network.original), ran)
    effect = difference(original, ran.expected)
    report.rounding_effect = effect
    limit = ROUNDING_LIMITS[network.dtype] * scale(ran.expected)
    yield at_most("rounding effect", effect, limit)
    if network.folded is not None:  # before rounding, which would hide what folding does
        effect = difference(_logits(network.reference(network.folded), ran), original)
        yield at_most("folding", effect, OUTPUT_TOLERANCE * scale(original))


def _logits(reference: Reference, ran: Run) -> Tensor:
    """Compute the authors' network on other tensors, of the same clips and mask."""
    return dict(reference.steps(ran.pixels, ran.mask, TRANSFORMERS_FINAL_NORM_EPS))[LOGITS]
