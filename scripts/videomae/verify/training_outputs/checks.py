"""Checks that the reference and the folder match outputs of the training code's own network.

Tensors don't tell positions, selected tokens or heads; outputs of the network that was trained do.
The reference, on the original tensors and with the authors' eps everywhere, has to give them: that
tells whether it is the network at all. So has the folder's model, except for what transformers' eps
in the final norm and a narrower dtype change; both are computed on the same pixels, and taken into
account value by value.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from videomae.verify.comparison import (
    TRANSFORMERS_FINAL_NORM_EPS,
    difference,
    forward,
    logits,
    scale,
    worst,
)
from videomae.verify.reference import BEFORE_FINAL_NORM, FEATURES, LOGITS, Reference
from videomae.verify.report import Check, Report, at_most
from videomae.verify.summary import TRAINING_CODE
from videomae.verify.training_outputs.causes import LIMIT, explain
from videomae.verify.training_outputs.npz_file import TruthFile

CHECK = "recorded outputs"
AUTHORS = f"{CHECK}, authors' network"
EPS = f"{CHECK}, eps effect"
ROUNDING = f"{CHECK}, rounding effect"


@dataclass
class Compared:
    """How far the networks are from one output of one clip, absolute.

    ``scale`` is the root mean square of what was recorded. ``eps`` and ``rounding`` are what those
    change in the reference; ``unexplained`` is the folder's difference without them.
    """

    scale: float
    reference: float
    folder: float
    eps: float
    rounding: float
    unexplained: float

    @property
    def tolerance(self) -> float:
        """Return what the folder's difference may be."""
        return LIMIT * self.scale + self.eps + self.rounding


class Truth:
    """Compares one file with a reference on the original tensors and a folder's model.

    ``stored`` computes on the tensors as the folder holds them, if they are narrower.
    """

    def __init__(
        self, file: TruthFile, original: Reference, stored: Reference | None = None
    ) -> None:
        self.file = file
        self.original, self.stored = original, stored
        self.device = original.device

    def checks(
        self, model: Any, report: Report, most_eps: float, most_rounding: float
    ) -> Iterator[Check]:
        """Compare both, and enter into the report how they agree.

        ``most_eps`` is what transformers' eps may change, absolute, ``most_rounding`` what a
        narrower dtype may, of the outputs' root mean square.
        """
        compared, steps = self._compare(model)
        furthest = {
            str(number): _share(one.folder, one.tolerance) for number, one in enumerate(compared)
        }
        of = compared[int(worst(furthest))]
        own = _largest(_share(one.unexplained, one.scale) for one in compared)
        eps = _largest(one.eps for one in compared)
        made = [
            self._network(compared, steps),
            at_most(CHECK, own, LIMIT, self._not_the_folder(compared)),
            at_most(EPS, eps, most_eps),
        ]
        if self.stored:
            rounding = _largest(_share(one.rounding, one.scale) for one in compared)
            made.append(at_most(ROUNDING, rounding, most_rounding))
        report.recorded = {
            "status": "agrees" if all(check.passed for check in made) else "differs",
            "of": TRAINING_CODE,
            "max_abs_difference": of.folder,
            "tolerance": of.tolerance,
            "reference_difference": _largest(one.reference for one in compared),
            "eps_effect": eps,
            "rounding_effect": _largest(one.rounding for one in compared),
            "steps": steps,
            "conditions": {
                "file": str(self.file.path),
                "sha256": self.file.sha256,
                "clips": self.file.clips,
                "outputs": list(self.file.outputs),
            },
        }
        yield from made

    def _compare(self, model: Any) -> tuple[list[Compared], dict[str, float]]:
        """Compare each output of each clip, and each step, of its scale, in order of computing."""
        compared: list[Compared] = []
        steps: dict[str, float] = {}
        for clip in range(self.file.clips):  # one at a time, for the sake of memory
            pixels, mask = self.file.inputs(clip, self.device)
            found = self._steps(self.original, pixels, mask, clip, steps)
            narrow = found if self.stored is None else _outputs(self.stored, pixels, mask)
            made = _of_model(model, pixels, mask, self.file.outputs)
            for name in self.file.outputs:
                step = self.file.places[name].step
                recorded = self.file.output(name, clip)
                authors = found[step, self.original.eps]
                eps = found[step, TRANSFORMERS_FINAL_NORM_EPS] - authors
                rounding = narrow[step, TRANSFORMERS_FINAL_NORM_EPS] - authors - eps
                compared.append(
                    Compared(
                        scale(recorded),
                        difference(authors, recorded),
                        difference(made[name], recorded),
                        eps.abs().max().item(),
                        rounding.abs().max().item(),
                        difference(made[name], recorded + eps + rounding),
                    )
                )
        order = [name for name in self.file.arrays if name in steps]
        return compared, {name: steps[name] for name in order}

    def _steps(
        self,
        reference: Reference,
        pixels: Tensor,
        mask: Tensor | None,
        clip: int,
        differences: dict[str, float],
    ) -> dict[tuple[str, float], Tensor]:
        """Run the reference with the authors' eps, comparing what was recorded on the way.

        Returns the outputs with the authors' eps in the final norm and with transformers'.
        """
        outputs: dict[tuple[str, float], Tensor] = {}
        for step, value in reference.steps(pixels, mask):
            for name, values in self.file.arrays.items():
                if self.file.places[name].step != step:
                    continue
                relative = math.inf
                if values is not None:
                    one = values[clip : clip + 1] if len(values) > 1 else values
                    relative = _share(difference(value.cpu(), one), scale(one))
                differences[name] = _largest((differences.get(name, 0.0), relative))
            if step == BEFORE_FINAL_NORM:
                outputs = _finals(reference, value)
        return outputs

    def _network(self, compared: list[Compared], steps: dict[str, float]) -> Check:
        """Return the check that the reference is this network; the message has the first step."""
        shares = {str(n): _share(one.reference, one.scale) for n, one in enumerate(compared)}
        share, of = shares[worst(shares)], compared[int(worst(shares))]
        if share <= LIMIT:
            return Check(AUTHORS, True, share, LIMIT)
        message = explain(self.file, self.original, of.reference, of.scale, steps)
        return Check(AUTHORS, False, share, LIMIT, message)

    def _not_the_folder(self, compared: list[Compared]) -> str:
        shares = {str(n): _share(one.unexplained, one.scale) for n, one in enumerate(compared)}
        of = compared[int(worst(shares))]
        return (
            f"the folder's model differs from {self.file.path} by {of.folder:.3g}, of which the "
            f"final norm's eps explains {of.eps:.3g}"
            + (f" and rounding {of.rounding:.3g}" if self.stored else "")
            + f" (limit of the rest {LIMIT * of.scale:.3g})"
        )


def _finals(reference: Reference, hidden: Tensor) -> dict[tuple[str, float], Tensor]:
    """Return the outputs that follow from the final norm's input, by step and that norm's eps."""
    outputs = {}
    for eps in (reference.eps, TRANSFORMERS_FINAL_NORM_EPS):
        outputs[FEATURES, eps] = reference.features(hidden, eps).cpu()
        outputs[LOGITS, eps] = reference.logits(hidden, eps).cpu()
    return outputs


def _outputs(
    reference: Reference, pixels: Tensor, mask: Tensor | None
) -> dict[tuple[str, float], Tensor]:
    steps = reference.steps(pixels, mask)
    return _finals(reference, next(value for step, value in steps if step == BEFORE_FINAL_NORM))


def _of_model(
    model: Any, pixels: Tensor, mask: Tensor | None, names: tuple[str, ...]
) -> dict[str, Tensor]:
    """Run a folder's model and give those of its outputs."""
    read: list[Tensor] = []
    hook = None
    if "features" in names:
        hook = model.classifier.register_forward_pre_hook(
            lambda _module, inputs: read.append(inputs[0])
        )
    try:
        output = logits(forward(model, pixels, mask)).cpu()
    finally:
        if hook:
            hook.remove()
    return {name: read[-1].cpu() if name == "features" else output for name in names}


def _largest(values: Iterable[float]) -> float:
    """Return the largest, of which NaN is larger than any number."""
    named = {str(number): float(value) for number, value in enumerate(values)}
    return named[worst(named)]


def _share(value: float, of: float) -> float:
    return value / of if of else (math.inf if value else 0.0)
