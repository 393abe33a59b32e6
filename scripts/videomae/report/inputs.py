"""Where is the report, and what is it made from?"""

from pathlib import Path

from videomae import results_location
from videomae.compatibility import releases
from videomae.convert import model_folder
from videomae.workflow.states import STEPS

OVERVIEW = "results/report/overview.html"
PAGE = "results/report/variants/{variant}.html"
SCORES = "results/scores/{variant}.json"
EXAMPLES = "results/scores/examples/{variant}.json"
PLOT = "results/report/{name}.svg"
PLOTS = ("differences", "seconds", "memory")


def model(variant: str, results: Path) -> list[Path]:
    """Return the files of a verified folder, whose model draws the pictures of its page."""
    if not (results / STEPS["verify"].format(variant)).exists():
        return []
    made = [results / "models" / variant / name for name in model_folder.CONVERTED]
    return made if all(path.exists() for path in made) else []


def sources(variant: str, results: Path) -> list[Path]:
    """Return the existing files that a variant's page is made from."""
    report = results / STEPS["verify"].format(variant)
    found = [results / STEPS["receipt"].format(variant)]
    if report.exists():
        found += [report, *releases.existing(variant, results)]
    else:
        found += [results / f"logs/verify/{variant}.json"]
        found += [results / f"logs/{step}/{variant}.log" for step in STEPS]
    there = [path for path in found if path.exists()]
    return there + existing(variant, results, SCORES, EXAMPLES)


def existing(variant: str, results: Path, *patterns: str) -> list[Path]:
    """Return the existing files of a variant, of those that the workflow's rules name."""
    paths = [
        results_location.place(pattern.format(variant=variant), results) for pattern in patterns
    ]
    return [path for path in paths if path.exists()]
