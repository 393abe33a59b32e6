"""Checks with their figures, and the report of a verification."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from videomae.errors import ConversionError
from videomae.files import appearing, finite
from videomae.verify import summary

NOT_COMPARED = "not compared"  # what a report says of the labels where no list was given


@dataclass(frozen=True)
class Check:
    """One check's outcome; the message says expected against found, and where to look."""

    name: str
    passed: bool
    value: float | str | None = None
    limit: float | str | None = None
    message: str = ""

    def __str__(self) -> str:
        """Return the check as one line of a log."""
        figures = f" {_figure(self.value)} (limit {_figure(self.limit)})" if self.limit else ""
        outcome = "ok    " if self.passed else "FAILED"
        return f"{outcome} {self.name}{figures}{': ' if self.message else ''}{self.message}"


@dataclass
class Report:
    """The results of a verification; `save` writes them as JSON.

    Differences and tolerance are absolute: ``max_abs_difference`` is the model's (the same pixels
    into both), ``preprocessing_difference`` the processor's (the same clip into both). ``layers``
    are each step's largest difference of its root mean square, in the order of computing;
    ``eps_effect`` is `norm_eps.EpsEffect.measured`, the rest of which is in ``eps_bound``;
    ``positions_effect`` is what exact positions change in the outputs for a full clip, where the
    checkpoint has some that float32 moved; ``proven_on`` are the clips' names, their frames and the
    side of their images. ``fine_tuning`` has, of a pre-training model, the differences at the start
    of fine-tuning, of logits (absolute) and of gradients (of their scale), the effect of eps there,
    and by how much of their scale the logits are off where the head reads the first token.
    """

    variant: str
    checks: list[Check] = field(default_factory=list)
    max_abs_difference: float | None = None
    tolerance: float | None = None
    proven_on: dict[str, Any] = field(default_factory=dict)
    preprocessing_difference: float | None = None
    eps_effect: float | None = None
    eps_bound: dict[str, float | None] = field(default_factory=dict)
    rounding_effect: float | None = None
    positions_effect: float | None = None
    layers: dict[str, float] = field(default_factory=dict)
    fine_tuning: dict[str, float] = field(default_factory=dict)
    recorded: dict[str, Any] = field(default_factory=lambda: {"status": "none"})
    rehearsal: str | None = None  # what marks synthetic weights
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def status(self) -> str:
        """What confirms the network, if it passed and anything but the tensors does."""
        return summary.status(self.passed, self.recorded)

    def said(self) -> str:
        """Return the figures and what was not compared, for one line."""
        compared = "" if self.facts.get("labels") != NOT_COMPARED else ", labels not compared"
        return (
            f"outputs differ from the authors' network by {_figure(self.max_abs_difference)} "
            f"(limit {_figure(self.tolerance)}){compared}"
        )

    def failure(self) -> str:
        """Return the reason in one line: the first check that failed, and which others did."""
        failed = [check for check in self.checks if not check.passed]
        others = f" (also failed: {', '.join(c.name for c in failed[1:])})" if failed[1:] else ""
        return f"{failed[0].name}: {failed[0].message}{others}"

    def deliver(self, kept: Path | None, passed: Path | None, failing: str) -> None:
        """Save to ``kept`` in any case, and to ``passed`` if all passed.

        Raises `ConversionError` if one failed; ``failing`` says what did.
        """
        if kept:
            self.save(kept)
        if not self.passed:
            raise ConversionError(f"{failing}. {self.failure()}")
        if passed:
            self.save(passed)

    def save(self, path: Path) -> None:
        """Write the report as JSON, whole or not at all."""
        content = asdict(self)
        facts = content.pop("facts")
        content = finite({"passed": self.passed, "status": self.status, **content, **facts})
        text = json.dumps(content, indent=2, allow_nan=False)
        with appearing(path) as new:
            new.write_text(text + "\n")


def at_most(name: str, value: float, limit: float, message: str = "") -> Check:
    """Pass if value <= limit; a NaN does not. Without a message a failure gives its figures."""
    passed = value <= limit
    failure = message or f"{value:.3g} exceeds {limit:.3g}"
    return Check(name, passed, value, limit, "" if passed else failure)


def _figure(value: float | str | None) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
