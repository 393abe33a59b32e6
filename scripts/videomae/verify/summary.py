"""What is verified of a variant, in words?  Read from its report, for tables, pages and cards."""

from collections.abc import Mapping
from typing import Any

from videomae.errors import one_line

FAILED = "failed"
BY_RECORDED = "verified against recorded outputs"
BY_YOURS = "verified against your recorded outputs"
ASSUMED = "verified, network assumed"

TRAINING_CODE = "training code"  # whose outputs were recorded: those of the user's own
INPUTS = ("clip", "mask")  # among the conditions of a recording, beside values of the config

# Pixels are compared as they went into the network.
CONFIRMED = "That confirms what no tensor tells, but not how training normalised its pixels"

Report = Mapping[str, Any]


def status(passed: bool, recorded: Report) -> str:
    """Return a report's status: what confirms the network, if anything but the tensors does."""
    if not passed:
        return FAILED
    if recorded["status"] != "agrees":
        return ASSUMED
    return BY_YOURS if recorded.get("of") == TRAINING_CODE else BY_RECORDED


def shown(report: Report) -> str:
    """Return the status as tables show it; of an earlier release's report no more than verified."""
    return str(report.get("status", "verified"))


def notes(report: Report) -> str:
    """Return what belongs beside the status, in brackets with a space before; empty for nothing."""
    said = []
    if report.get("recorded", {}).get("status") == "differs":
        said.append("recorded outputs differ")
    if report.get("rehearsal"):
        said.append("rehearsal weights")
    return f" ({', '.join(said)})" if said else ""


def meaning(report: Report) -> str:
    """Say in a sentence or two what the status rests on; empty for a report without one."""
    recorded, what = report.get("recorded", {}), report.get("status")
    if what == BY_YOURS:
        made = recorded["conditions"]
        clips = f"{made['clips']} clip{'s' if made['clips'] > 1 else ''}"
        return (
            f"What the training code's own network gave for {clips} ({', '.join(made['outputs'])}) "
            "agrees with the authors' network on the original tensors (to "
            f"{float(recorded['reference_difference']):.2g}) and with this folder (to "
            f"{float(recorded['max_abs_difference']):.2g}, of which transformers' eps in the last "
            f"norm explains {float(recorded['eps_effect']):.2g}). {CONFIRMED}."
        )
    if what == BY_RECORDED:
        sentence = f"Outputs recorded before agree. {CONFIRMED}."
        conditions = recorded.get("conditions", {})
        others = [f"{name} {value}" for name, value in conditions.items() if name not in INPUTS]
        if others:
            sentence += (
                f" Nor does it confirm what the recording had otherwise: {', '.join(others)}."
            )
        return sentence
    if what == ASSUMED:
        sentence = (
            "The folder computes what the authors' network computes on these tensors. That this is "
            "the network that was trained is assumed: no recorded outputs confirm it"
        )
        if recorded.get("status") == "differs":
            sentence += ", and those that were recorded differ"
        if recorded.get("status") == "skipped":
            sentence += ", since they were not compared"
        return f"{sentence}."
    return ""


def assumed(report: Report) -> list[dict[str, str]]:
    """Return what no tensor tells, each with its ``value`` and ``origin``, a line for each."""
    return [
        {key: one_line(str(one.get(key, ""))) for key in ("what", "value", "origin")}
        for one in report.get("assumptions", [])
    ]


def unknown_options(report: Report) -> list[str]:
    """Name the training options in the file that are none of the authors' scripts."""
    return [one_line(str(name), most=120) for name in report.get("unknown_options", [])]
