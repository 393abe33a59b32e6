"""Measure time and memory and write results/bench/: ``python -m tests.bench``."""

import argparse
import json
import shutil
import statistics
from pathlib import Path

from tabulate import tabulate

from tests.bench import plot
from tests.bench.full_size import RATE, Zoo
from tests.bench.measuring import Memory, Seconds, alternate, machine, rows
from tests.bench.scale import Scale
from tests.bench.scoring import Scoring

PARTS = ("convert", "workflow", "line", "memory", "scale", "scoring")
TWO = "convert, two at a time"
CONVERT = {TWO: "0.70"}
WITH, WITHOUT = "workflow, with recorded outputs", "workflow, without them"
WORKFLOW = {WITH: "0.95", WITHOUT: "0.55"}
HEADERS = ("", "median s", "least-most", "ratio", "goal")
SIZES = (10, 100, 1000)
LENGTHS = {"10 s": 300, "2 s": 60}  # of scored videos, and their frames


def main() -> None:
    """Read the command line, measure, write the tables and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--repeats", type=int, default=5, help="of the cheap ones")
    parser.add_argument("--runs", type=int, default=3, help="of the whole workflow")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="numbers of variants")
    parser.add_argument("--variants", nargs="*", default=[], help="in place of the thirteen")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to score")
    parser.add_argument("--folder", type=Path, default=Path("results/bench"))
    arguments = parser.parse_args()
    work = arguments.folder.resolve() / "work"  # what is run there runs in other folders
    zoo, measured, tables = Zoo(work / "zoo", arguments.variants), {}, [machine()]
    if set(arguments.only) - {"scale", "scoring"}:
        zoo.make()
    if "convert" in arguments.only:
        tasks = {
            "cp": zoo.copy,
            "zeros by dd, two files at once": zoo.zeros,
            "convert": zoo.convert,
            TWO: zoo.convert_two_at_a_time,
        }
        measured["convert"] = alternate(tasks, arguments.repeats)
        tables.append(tabulate(rows(measured["convert"], "cp", CONVERT), HEADERS))
    if "workflow" in arguments.only:
        whole = {
            "one at a time": zoo.one_at_a_time,
            WITH: lambda: zoo.workflow("require"),
            WITHOUT: lambda: zoo.workflow("skip"),
        }
        measured["workflow"] = alternate(whole, arguments.runs)
        tables.append(tabulate(rows(measured["workflow"], "one at a time", WORKFLOW), HEADERS))
        tables.append(_memory("in these runs", zoo.memory))
    if "line" in arguments.only:
        downloads = f"downloads alone, at {RATE / 1e6:.0f} MB/s"
        line = {
            downloads: lambda: zoo.over_a_line("--until", "download"),
            "workflow from there, without recorded outputs": zoo.over_a_line,
        }
        measured["line"] = alternate(line, 1)  # five minutes
        tables.append(tabulate(rows(measured["line"], downloads, {}), HEADERS))
    if "memory" in arguments.only:
        alone = Memory()
        zoo.convert_alone(alone)
        tables.append(_memory("convert alone", alone))
    if "scale" in arguments.only:
        measured["scale"] = _scale(work / "scale", arguments.sizes, arguments.repeats, tables)
    if "scoring" in arguments.only:
        for length, frames in LENGTHS.items():
            scoring = Scoring(work / f"scoring-{frames}", frames, arguments.device)
            ours, plain = f"scoring a view of {length}", f"pipeline, a view of {length}"
            taken = alternate({plain: scoring.plain, ours: scoring.ours}, arguments.runs)
            tables.append(tabulate(rows(taken, plain, {ours: "0.67"}), HEADERS))
            measured[f"scoring {length}"] = taken
    shutil.rmtree(work / "zoo/made", ignore_errors=True)
    _write(arguments.folder, measured, tables)


def _memory(title: str, memory: Memory) -> str:
    lines = [
        [kind, f"{most:,.0f}", f"{memory.anonymous.get(kind, 0):,.0f}"]
        for kind, most in sorted(memory.resident.items(), key=lambda item: -item[1])
    ]
    return tabulate(lines, (f"most MB, {title}", "resident", "anonymous"), disable_numparse=True)


def _scale(folder: Path, sizes: list[int], repeats: int, tables: list[str]) -> Seconds:
    shutil.rmtree(folder, ignore_errors=True)
    folders = {size: Scale(folder / str(size), size) for size in sizes}
    largest = folders[max(sizes)]
    tasks = {f"plan {n}": one.plan for n, one in folders.items()}
    tasks[f"plan {largest.number}, in numbers"] = largest.plan_in_numbers
    tasks[f"plan {largest.number}, bare rules"] = largest.bare_plan
    taken = alternate(tasks, repeats)
    job = folders[min(sizes)].cost_per_job()
    for size in sizes[1:]:
        folders[size].finish()
    taken |= alternate({f"no-op {n}": one.no_op for n, one in folders.items()}, repeats)
    base = f"plan {min(sizes)}"
    tables.append(tabulate(rows(taken, base, {"plan 1000": "8 s", "no-op 1000": "8 s"}), HEADERS))
    tables.append(f"Snakemake's own processor time for each job: {1000 * job:.1f} ms (goal: 20)")
    tables.append(_flat(folders, repeats))
    return taken


def _flat(folders: dict[int, Scale], repeats: int) -> str:
    taken = alternate(
        {f"{n} variants": one.cost_per_variant for n, one in folders.items()}, repeats
    )
    each = {name: 1000 * statistics.median(seconds) for name, seconds in taken.items()}
    first = next(iter(each.values()))
    lines = [[name, f"{ms:.1f}", f"{ms / first:.2f}"] for name, ms in each.items()]
    return tabulate(lines, ("Snakemake's own", "ms a variant", "ratio (goal: 0.8-1.2)"))


def _write(folder: Path, measured: dict[str, Seconds], tables: list[str]) -> None:
    text = "\n\n".join(tables) + "\n"
    (folder / "table.txt").write_text(text)
    (folder / "seconds.json").write_text(json.dumps(measured, indent=2) + "\n")
    if measured:  # memory alone has no bars
        plot.draw(measured, folder / "plot.svg")
    print(f"\n{text}\nwritten to {folder}")


if __name__ == "__main__":
    main()
