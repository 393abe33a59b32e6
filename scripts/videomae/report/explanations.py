"""What do the report's words mean?  A line for each status and check, and what to do next."""

from collections.abc import Iterable
from pathlib import Path

from videomae.verify import summary
from videomae.workflow.states import ENDS, FAILED, SILENT, STEPS

SYNTHETIC = "synthetic weights"
MATCH = "The outputs match the original checkpoint"
STATUSES = {
    summary.BY_YOURS: f"{MATCH}. Outputs of your training code confirm the network.",
    summary.BY_RECORDED: f"{MATCH}. Outputs recorded earlier by other code confirm the network.",
    summary.ASSUMED: (
        f"{MATCH}, computed with the authors' network. Nothing confirms that this network is the "
        "one that was trained."
    ),
    "verified": f"{MATCH}. An earlier release of this program checked it.",
}
REMARKS = {
    "pushed": "The folder is published on the hub.",
    "not pushed (dry run)": "The folder is not published: `push.dry_run` is on.",
    "recorded outputs differ": (
        "Outputs recorded earlier by other code differ; `recorded_outputs: warn` accepts this."
    ),
    SYNTHETIC: "The weights were generated for a test and never trained.",
}
DOES = {
    "download": "gets the checkpoint",
    "receipt": "records the checkpoint's source, size and checksum",
    "convert": "writes the transformers folder",
    "verify": "compares the folder with the original checkpoint",
    "card": "writes the model card",
    "push": "publishes the folder on the hub",
    "push_plan": "lists what a push would publish",
}
ENTRY = "this variant's entry in config.yaml"
NEXT = {
    "download": (
        f"Check the address in {ENTRY} and the network. Or get the file yourself and save it as "
        "{checkpoint}."
    ),
    "receipt": f"Check that the file and the checksum in {ENTRY} belong together.",
    "convert": (
        "Run `videomae inspect {checkpoint}`: it says what the file holds, and what to add to "
        f"{ENTRY}."
    ),
    "verify": (
        "Do not use this folder. The message says what differs; the list of checks is on the "
        f"variant's page. Correct {ENTRY} (heads, pooling, labels, recorded outputs) or replace "
        "the file."
    ),
    "card": f"Correct the values for the card (license, published, datasets) in {ENTRY}.",
    "push": (
        "Check the hub's token and its right to write to the namespace (`hf auth whoami`). The "
        "verified folder is kept."
    ),
}
NEXT["push_plan"] = NEXT["push"]
KILLED = (
    "Give the job more memory or disk space, or run fewer jobs at once. Then run `videomae "
    "resume`, which continues where the run stopped."
)
AGAIN = "Then run the same snakemake command again: it runs only the steps that are not done."

# By how a check's name begins; of several the longest counts.
CHECKS = {
    "files": "the folder has the published files and no others that a loader reads",
    "files unchanged": "checkpoint and folder did not change during verification",
    "precision": "config.json and model.safetensors have the same data type",
    "config": "config.json has the expected keys and values",
    "labels": "config.json has the expected class names",
    "processor": "the image processor loads and runs",
    "processor config": "preprocessor_config.json has the expected values",
    "processor pixels": "pixels of frames that need no resizing",
    "processor pixels, other sizes": "pixels of frames that are resized and cropped",
    "processor pixels, rounded": "share of resized pixels that differ by a grey level",
    "loaded processor": "values of the processor that transformers loads",
    "video processor pixels": "pixels of frames that need no resizing",
    "video processor pixels, other sizes": "pixels of frames that are resized and cropped",
    "video processor pixels, rounded": "share of resized pixels that differ by a grey level",
    "loaded video processor": "values of the video processor that transformers loads",
    "weights file": "model.safetensors has every tensor",
    "weights file, bit by bit": "its tensors are the checkpoint's",
    "load report": "transformers finds, uses and fits every tensor",
    "loaded config": "values of the config that transformers loads",
    "loaded tensors": "the loaded model's tensors are the checkpoint's",
    "positions of": "position embeddings that transformers builds",
    "function": "outputs of the folder and of the original checkpoint",
    "every layer": "the largest difference at any step of the network",
    "loss": "the loss of a pre-training model",
    "eps effect": "change of the outputs by transformers' eps in the last LayerNorm",
    "positions effect": "change of the outputs by exact positions in place of rounded ones",
    "rounding effect": "change of the outputs by rounding the weights",
    "folding": "change of the outputs by tensors that were merged into others",
    "fine-tuning start": "the folder loads as a classifier, and only its head and fc_norm are new",
    "fine-tuning start, tensors": "the classifier's encoder is the checkpoint's",
    "fine-tuning start, logits": "outputs of the classifier with a new head",
    "fine-tuning start, loss": "cross-entropy of the classifier with a new head",
    "fine-tuning start, gradients": "gradients of every weight in one training step",
    "fine-tuning start, eps effect": "change of these outputs by transformers' eps in fc_norm",
    "recorded outputs": "outputs of the folder and those that other code computed earlier",
    "recorded outputs, authors' network": "outputs of the training code and the authors' network",
    "recorded outputs, eps effect": "change of these outputs by transformers' eps",
    "recorded outputs, rounding effect": "change of these outputs by rounding the weights",
}


def check(name: str) -> str:
    """Explain a check in a few words; empty for an unknown one."""
    known = [start for start in CHECKS if f"{name},".startswith((f"{start},", f"{start} "))]
    return CHECKS[max(known, key=len)] if known else ""


def legend(statuses: Iterable[str]) -> dict[str, str]:
    """Explain each status, and each remark after one, in a line; an unknown one is left out."""
    found: dict[str, str] = {}
    for status in statuses:
        base, remarks = _parts(status)
        if line := _base(base):
            found[base] = line
        found |= {words: REMARKS[words] for words in remarks}
    return found


def next_step(step: str, reason: str, variant: str, results: Path) -> str:
    """Return a text: what to do after a step failed."""
    if reason.startswith(SILENT.split(":", maxsplit=1)[0]):
        return KILLED
    checkpoint = results / STEPS["download"].format(variant)
    return f"{NEXT[step].format(checkpoint=checkpoint)} {AGAIN}"


def _parts(status: str) -> tuple[str, list[str]]:
    """Split a status into what comes first and the known remarks after it."""
    first = next((words for words in STATUSES if status.startswith(words)), None)
    base = first or status.split(" (", maxsplit=1)[0]
    rest = status.removeprefix(base)
    end = next((end for end in filter(None, ENDS.values()) if rest.startswith(end)), "")
    remarks = [end.removeprefix(", "), *rest.removeprefix(end).strip(" ()").split(", ")]
    return base, [words for words in remarks if words in REMARKS]


def _base(status: str) -> str | None:
    """Explain a status without its remarks."""
    if status in STATUSES:
        return STATUSES[status]
    for step, does in DOES.items():
        if status == f"{FAILED} at {step}":
            return f"The step that {does} failed. Later steps did not run."
        if status == f"{step} not done":
            return f"The step that {does} has not run, or its result is outdated."
    return None
