"""Where is the report, and what is it made from?"""

from pathlib import Path

from videomae import folder, releases
from videomae.progress import STEPS

OVERVIEW = "results/report/overview.html"
PAGE = "results/report/variants/{variant}.html"
SCORES = "results/scores/{variant}.json"
EXAMPLES = "results/scores/examples/{variant}.json"
PLOT = "results/report/{name}.svg"
PLOTS = ("differences", "seconds", "memory")


def sources(variant: str, results: Path) -> list[str]:
    """Name what a variant's page is made from, as far as it is there."""
    report = results / STEPS["verify"].format(variant)
    found = [results / STEPS["receipt"].format(variant)]
    if report.exists():
        made = [results / "models" / variant / name for name in folder.CONVERTED]
        found += [report, *made, *map(Path, releases.existing(variant, results))]
    else:
        found += [results / f"logs/verify/{variant}.json"]
        found += [results / f"logs/{step}/{variant}.log" for step in STEPS]
    scored = [path for pattern in (SCORES, EXAMPLES) for path in existing(pattern, variant)]
    return [*(str(path) for path in found if path.exists()), *scored]


def existing(pattern: str, variant: str) -> list[str]:
    """Name a variant's file if it is there."""
    path = pattern.format(variant=variant)
    return [path] if Path(path).exists() else []
