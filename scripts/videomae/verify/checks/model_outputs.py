"""Checks a loaded model's outputs and losses against the reference."""

from collections.abc import Iterator, Sequence
from typing import Any

from videomae.verify import clips
from videomae.verify.comparison import Run, for_clips, forward, run, with_values
from videomae.verify.reference import Reference
from videomae.verify.report import Check, at_most

LOSS_TOLERANCE = 1e-5  # relative


def outputs_of_each_clip(name: str, ran: Run) -> Iterator[Check]:
    """Compare the outputs of each clip of a proof; the usual one's check has the plain name."""
    first = ran.comparison.first_parting()
    for number, clip in enumerate(clips.PROVING):
        of = f"{name}, {clip} clip" if number else name
        yield at_most(of, ran.difference(number), ran.tolerance(number), first)


def outputs_of_its_kind(
    model: Any, reference: Reference, ran: Run, proving: Sequence[clips.Clip]
) -> Iterator[Check]:
    """Compare what only such networks have: losses of pre-training, hidden tokens of an encoder.

    ``ran`` are both networks, run on the clips of a proof without hiding an encoder's tokens.
    """
    if reference.architecture.kind == "pretraining":
        yield from losses(model, reference, ran)
    if reference.architecture.kind == "encoder":  # whose users may hide tokens, or not
        masked = run(model, reference, proving, masked=True)
        yield from outputs_of_each_clip("function, masked", masked)


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
