"""Checks of what a loaded model computes, beside the reference: outputs of each clip, losses."""

from collections.abc import Iterator
from typing import Any

from videomae import clips
from videomae.lockstep import Run, for_clips, forward, with_values
from videomae.reference import Reference
from videomae.report import Check, at_most

LOSS_TOLERANCE = 1e-5  # relative


def outputs_of_each_clip(name: str, ran: Run) -> Iterator[Check]:
    """Compare the outputs of each clip of a proof; the usual one's check has the plain name."""
    first = ran.comparison.first_parting()
    for number, clip in enumerate(clips.PROVING):
        of = f"{name}, {clip} clip" if number else name
        yield at_most(of, ran.difference(number), ran.tolerance(number), first)


def losses(model: Any, reference: Reference, ran: Run) -> Iterator[Check]:
    """Compare both reconstruction losses, with normalised target pixels and without."""
    assert ran.mask is not None
    chosen = model.config.norm_pix_loss
    size, number = ran.pixels.shape[-1], ran.mask.shape[1]
    with for_clips(model, size, number), with_values(model.config, norm_pix_loss=not chosen):
        other = forward(model, ran.pixels, ran.mask)
    found = {chosen: ran.output.loss.item(), not chosen: other.loss.item()}
    expected_losses = reference.losses(ran.expected, ran.pixels, ran.mask)
    for norm_pix_loss, expected in expected_losses.items():
        message = f"expected {expected:.7g}, found {found[norm_pix_loss]:.7g}"
        relative = abs(found[norm_pix_loss] / expected - 1)
        name = f"loss with norm_pix_loss={norm_pix_loss}"
        yield at_most(name, relative, LOSS_TOLERANCE, message)
