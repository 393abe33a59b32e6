"""What does a variant's status mean, in words?  For tables, pages and cards, from its report."""

from collections.abc import Mapping
from typing import Any

from videomae.errors import one_line

FAILED = "failed"
BY_RECORDED = "verified against recorded outputs"
BY_YOURS = "verified against your recorded outputs"
ASSUMED = "verified, network assumed"

TRAINING_CODE = "training code"  # whose outputs were recorded: those of the user's own
# Origins that cards and pages show in other words.
ORIGINS = {"given": "set by hand"}
INPUTS = ("clip", "mask")  # among the conditions of a recording, beside values of the config

# Recordings begin with the pixels that went into the network.
CONFIRMED = (
    "This confirms the properties that no tensor shows, except how training normalised the pixels"
)

Report = Mapping[str, Any]


def status(passed: bool, recorded: Report) -> str:
    """Return a report's status: what confirms the network, if anything but the tensors does."""
    if not passed:
        return FAILED
    if recorded["status"] != "agrees":
        return ASSUMED
    return BY_YOURS if recorded.get("of") == TRAINING_CODE else BY_RECORDED


def shown(report: Report) -> str:
    """Return the status as tables show it; "verified" for an earlier release's report."""
    return str(report.get("status", "verified"))


def notes(report: Report) -> str:
    """Return the notes after the status, in brackets with a space before; empty for none."""
    said = []
    if report.get("recorded", {}).get("status") == "differs":
        said.append("recorded outputs differ")
    if report.get("rehearsal"):
        said.append("synthetic weights")
    return f" ({', '.join(said)})" if said else ""


def meaning(report: Report) -> str:
    """Explain the status in two or three sentences; empty for a report without one."""
    recorded, what = report.get("recorded", {}), report.get("status")
    if what == BY_YOURS:
        made = recorded["conditions"]
        clips = f"{made['clips']} clip{'s' if made['clips'] > 1 else ''}"
        return (
            f"The outputs of the training code for {clips} ({', '.join(made['outputs'])}) match "
            "the authors' network on the original tensors (largest difference "
            f"{float(recorded['reference_difference']):.2g}) and this folder (largest difference "
            f"{float(recorded['max_abs_difference']):.2g}, of which transformers' eps in the last "
            f"LayerNorm explains {float(recorded['eps_effect']):.2g}). {CONFIRMED}."
        )
    if what == BY_RECORDED:
        sentence = f"The outputs match recorded ones, computed earlier by other code. {CONFIRMED}."
        conditions = recorded.get("conditions", {})
        others = [f"{name} {value}" for name, value in conditions.items() if name not in INPUTS]
        if others:
            sentence += (
                f" The recording used other settings, which are not confirmed: {', '.join(others)}."
            )
        return sentence
    if what == ASSUMED:
        sentence = (
            "The outputs match those of the authors' network with the checkpoint's tensors. It is "
            "assumed that this network is the one that was trained"
        )
        if recorded.get("status") == "differs":
            return f"{sentence}: recorded outputs, computed earlier by other code, differ."
        if recorded.get("status") == "skipped":
            return f"{sentence}: recorded outputs were not compared."
        return f"{sentence}: there are no recorded outputs to confirm it."
    return ""


def assumed(report: Report) -> list[dict[str, str]]:
    """Return the properties that no tensor shows, each with its ``value`` and ``origin``."""
    rows = [
        {key: one_line(str(one.get(key, ""))) for key in ("what", "value", "origin")}
        for one in report.get("assumptions", [])
    ]
    return [{**row, "origin": ORIGINS.get(row["origin"], row["origin"])} for row in rows]


def unknown_options(report: Report) -> list[str]:
    """Name the training options in the file that are none of the authors' scripts."""
    return [one_line(str(name), most=120) for name in report.get("unknown_options", [])]
