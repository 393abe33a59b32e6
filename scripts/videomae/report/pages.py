"""What does the report say about the variants?  A page for each and one for all, as HTML.

They are made from the files that the steps leave, so the report also has variants that failed and
those that have not run yet.
"""

import datetime
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from videomae import results_location
from videomae.compatibility import releases
from videomae.convert import model_folder
from videomae.errors import one_line
from videomae.model import architecture, networks
from videomae.network.addresses import shown
from videomae.report import explanations, inputs, plots
from videomae.verify import summary
from videomae.workflow import states
from videomae.workflow.states import STEPS

if TYPE_CHECKING:
    from videomae.report.images import Pictures

LAYERS = "every layer"  # the check whose values are drawn
PICTURE = re.compile(r"data:image/jpeg;base64,[\w+/]*=*", re.ASCII)
KINDS: dict[architecture.Kind, str] = {
    "classifier": "classifier",
    "pretraining": "pre-training model",
    "encoder": "encoder",
}
TIMED = ("download", "convert", "verify", "push")  # the steps that are worth a column


@dataclass(frozen=True)
class Took:
    """What a step took: seconds, and at most so many megabytes of memory."""

    seconds: float
    megabytes: float


class Facts:
    """All that the pages' templates read about one variant, by these names."""

    def __init__(
        self, variant: str, results: Path, push: str | None = None, family: str | None = None
    ) -> None:
        self.family = family
        state = states.state(variant, results, push)
        self.variant, self.status = variant, state.status
        self.failed, self.reason, self.log = state.failed, state.reason, state.log
        self.report = report = state.report
        self.meaning = summary.meaning(report)
        self.next = (
            explanations.next_step(state.failed, state.reason, variant, results)
            if state.failed
            else ""
        )
        self.assumed = summary.assumed(report)
        self.unknown_options = summary.unknown_options(report)
        self.checks: list[dict[str, Any]] = report.get("checks", [])
        self.kind: architecture.Kind | None = report.get("kind")
        self.synthetic: str | None = report.get("rehearsal")
        self.parameters: int | None = report.get("parameters")
        self.config: dict[str, Any] = report.get("config", {})
        self.origin: dict[str, str] = report.get("origin", {})
        recorded = report.get("recorded", {})
        self.difference = number(report.get("max_abs_difference"))
        self.tolerance = number(report.get("tolerance"))
        self.eps_effect = number(report.get("eps_effect"))
        self.positions_effect = number(report.get("positions_effect"))
        self.recorded = number(recorded.get("max_abs_difference"))
        self.recorded_tolerance = number(recorded.get("tolerance"))
        receipt = results / STEPS["receipt"].format(variant)
        noted = model_folder.read_json(receipt) if receipt.exists() else {}
        self.source: str | None = shown(noted["source"]) if "source" in noted else None
        self.bytes: int | None = noted.get("bytes")
        self.sha256: str = noted.get("sha256", "")
        self.loaded = {
            cell["transformers"]: number(cell["max_abs_difference"])
            for cell in map(model_folder.read_json, releases.existing(variant, results))
        }
        took = {step: states.took(results / f"benchmarks/{step}/{variant}.tsv") for step in TIMED}
        self.took = {step: Took(*pair) for step, pair in took.items() if any(pair)}
        self.scores, self.examples = self._scored(results)
        self.checked_at = _date(results / f"logs/verify/{variant}.json") if report else None

    def _scored(self, results: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Read the accuracy of these very weights, and the examples; empty without."""
        scores, examples = (
            results_location.place(pattern.format(variant=self.variant), results)
            for pattern in (inputs.SCORES, inputs.EXAMPLES)
        )
        found = model_folder.read_json(scores) if scores.exists() else {}
        scored = found.get("sha256", {}).get(model_folder.WEIGHTS)
        if not scored or scored != self.report.get("sha256", {}).get(model_folder.WEIGHTS):
            return {}, []
        return found, json.loads(examples.read_text()) if examples.exists() else []

    @property
    def model(self) -> str:
        """Describe the model: family, kind, the authors' name of the size, depth, width, clip."""
        if not self.kind:
            return self.family or ""
        built = architecture.Architecture(self.kind, self.config, self.origin)
        made = networks.factory_of(architecture.factory(built) or "")
        words = [self.family, made.size if made else None, KINDS[self.kind]]
        numbers = (
            "{num_hidden_layers} layers, width {hidden_size}, {num_attention_heads} heads, "
            "{num_frames} frames"
        )
        return f"{' '.join(filter(None, words))}: {numbers.format(**self.config)}"

    @property
    def legend(self) -> dict[str, str]:
        """Explain the status, except what the page explains in other words."""
        explained = explanations.legend([self.status])
        others = [explanations.SYNTHETIC, self.report.get("status") if self.meaning else None]
        return {words: line for words, line in explained.items() if words not in others}

    @property
    def tested(self) -> list[str]:
        """Name the releases of transformers in which the folder gave the right outputs."""
        verified = self.report.get("versions", {}).get("transformers")
        own = [verified] if self.report.get("passed") and verified not in self.loaded else []
        return [*self.loaded, *filter(None, own)]

    @property
    def total(self) -> Took:
        """Return the time of all steps, and the largest memory of any."""
        took = self.took.values()
        return Took(
            sum(one.seconds for one in took), max((one.megabytes for one in took), default=0.0)
        )

    @property
    def provenance(self) -> dict[str, Any]:
        """Return the rows on the folder's source, and on the versions that made it."""
        report = self.report
        said = {
            "family": self.family,
            "source": self.source,
            "SHA-256 of the checkpoint": self.sha256,
            "size of the checkpoint": f"{self.bytes:,} bytes" if self.bytes else None,
            "weights in the checkpoint, under": report.get("container"),
            "precision of the weights": report.get("dtype"),
            "SHA-256 of model.safetensors": report.get("sha256", {}).get(model_folder.WEIGHTS),
            "verified at": self.checked_at,
            "verified on device": report.get("device"),
            **report.get("versions", {}),
        }
        return {name: value for name, value in said.items() if value}

    @property
    def layers(self) -> dict[str, float]:
        """Return each step's difference, relative to its scale."""
        return {step: float(value) for step, value in self.report.get("layers", {}).items()}

    @property
    def shares(self) -> tuple[float | None, float | None]:
        """Return both largest differences divided by their limits; None where not compared."""
        return (
            _share(self.difference, self.tolerance),
            _share(self.recorded, self.recorded_tolerance),
        )


def number(value: Any) -> float | None:
    """Return a number of a report, where infinity and NaN are words; None for a missing one."""
    return None if value is None else float(value)


def page(facts: Facts, pictures: "Pictures | None", clip: str) -> str:
    """Write a variant's page; ``clip`` says which clip the pictures show."""
    limits = [check["limit"] for check in facts.checks if check["name"] == LAYERS]
    layers = plots.layers(facts.layers, limits[0]) if facts.layers and limits else ""
    template = _environment().get_template("page.html.jinja")
    return template.render(
        facts=facts, pictures=pictures, clip=clip, layers=layers, origins=summary.ORIGINS
    )


def overview(variants: Iterable[Facts]) -> str:
    """Write the page of all variants, those that failed first."""
    ordered = sorted(variants, key=lambda facts: not facts.failed)
    counted = Counter(facts.status.split(" (")[0] for facts in ordered)
    counts = "; ".join(f"{number} {status}" for status, number in counted.most_common())
    legend = explanations.legend(facts.status for facts in ordered)
    template = _environment().get_template("overview.html.jinja")
    return template.render(variants=ordered, counts=counts, legend=legend)


def drawn(variants: Iterable[Facts]) -> dict[str, str]:
    """Draw the plots over all variants, as SVG by name."""
    known = list(variants)
    taken = {
        quantity: {
            step: [
                (facts.bytes, getattr(facts.took[step], quantity))
                for facts in known
                if facts.bytes and step in facts.took and getattr(facts.took[step], quantity)
            ]
            for step in TIMED
        }
        for quantity in ("seconds", "megabytes")
    }
    return {
        "differences": plots.differences({facts.variant: facts.shares for facts in known}),
        "seconds": plots.by_size(taken["seconds"], "time of a step, seconds"),
        "memory": plots.by_size(taken["megabytes"], "peak memory of a step, MB"),
    }


def _share(value: float | None, limit: float | None) -> float | None:
    return None if value is None or not limit else value / limit


def _date(path: Path) -> str | None:
    if not path.exists():
        return None
    moment = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = _figure
    environment.filters["picture"] = _picture
    environment.filters["explained"] = explanations.check
    environment.filters["file_size"] = lambda size: f"{size / 1e6:,.1f} MB" if size else ""
    environment.filters["duration"] = lambda seconds: f"{seconds:,.1f} s" if seconds else ""
    environment.filters["megabytes"] = lambda value: f"{value:,.0f} MB" if value else ""
    environment.filters["thousands"] = lambda value: "" if value is None else f"{value:,}"
    return environment


def _picture(value: str) -> str:
    """Let a picture through whole, however long; what is none is a text like others."""
    return Markup(value) if PICTURE.fullmatch(value) else value


def _shown(value: Any) -> Any:
    """Keep control characters out of a text; what is markup already is ours."""
    return one_line(value, most=100_000) if type(value) is str else value


def _figure(value: Any) -> str:
    """Return a number as text with two digits; anything else unchanged."""
    return f"{value:.2g}" if isinstance(value, float) else str("" if value is None else value)
