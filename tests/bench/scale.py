"""What does Snakemake itself take, for as many variants as a training run leaves checkpoints?

One tiny variant is really run. The others' files, and Snakemake's notes of them, are made from its.
"""

import os
import shutil
import subprocess
import sys
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

from videomae.download import synthetic_weights

from tests.bench.measuring import clock
from tests.conftest import GIVEN, ROOT

FIRST = "epoch-0000"
# As many rules as a variant has in the workflow, with nothing in them: Snakemake's own least.
BARE = """
rule all:
    input: expand("card/{{name}}", name=[f"epoch-{{n:04}}" for n in range({number})])
rule link:
    output: "checkpoint/{{name}}"
    shell: "touch {{output}}"
rule convert:
    input: rules.link.output
    output: "model/{{name}}"
    shell: "touch {{output}}"
rule verify:
    input: rules.link.output, rules.convert.output
    output: "verification/{{name}}"
    shell: "touch {{output}}"
rule card:
    input: rules.verify.output, rules.link.output
    output: "card/{{name}}"
    shell: "touch {{output}}"
"""

# In place of Python: brings what a step makes from results of before.
BRING = """#!/bin/bash
bring() {
    for path; do
        mkdir -p "results/${path%/*}"
        cp --no-dereference "finished/$path" "results/$path"
    done
}
[[ $* =~ epoch-[0-9]+ ]]
name=${BASH_REMATCH[0]}
[[ $1 == --job ]] && shift 2
case $1 in
    fetch) bring checkpoints/$name.{pth,json} logs/download/$name.log ;;
    convert)
        bring models/$name/{config.json,model.safetensors,preprocessor_config.json}
        bring logs/convert/$name.json ;;
    verify) bring verification/$name.json logs/verify/$name.json ;;
    card) bring models/$name/README.md ;;
    *) exit 1 ;;
esac
"""


def variant(number: int) -> str:
    """Name one of the variants."""
    return f"epoch-{number:04}"


class Scale:
    """A folder with so many variants of one tiny checkpoint."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.number = number
        folder.mkdir(parents=True)
        synthetic_weights.save("tiny-finetuned", folder / f"{FIRST}.pth")
        for other in self._others():
            os.link(folder / f"{FIRST}.pth", folder / f"{other}.pth")
        (folder / "config.yaml").write_text("variants: {}\n")

    def _others(self) -> list[str]:
        return [variant(number) for number in range(1, self.number)]

    def snakemake(self, *options: str, of: str = "*") -> subprocess.CompletedProcess[str]:
        """Run the workflow on a pattern of checkpoints; an error is raised with what it said."""
        return self._run(["-m", "snakemake"], of, *options)

    def _run(self, program: list[str], of: str, *options: str) -> subprocess.CompletedProcess[str]:
        given = ", ".join(f"{name}: {value}" for name, value in GIVEN["tiny-finetuned"].items())
        return subprocess.run(
            [
                *(sys.executable, *program, "--snakefile", str(ROOT / "Snakefile")),
                *("--cores", "2", "--quiet", "all", *options),
                *("--config", f"checkpoints={of}.pth", f"config={{{given}}}"),
            ],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )

    def plan(self) -> float:
        """Give the seconds that planning all takes, with every job printed."""
        return clock(lambda: self.snakemake("--dry-run"))

    def plan_in_numbers(self) -> float:
        """Give the seconds that planning all takes, with how many jobs of each rule printed."""
        return clock(lambda: self.snakemake("--dry-run", "--quiet", "rules"))

    def bare_plan(self) -> float:
        """Give the seconds that planning as many bare jobs takes."""
        bare = self.folder / "bare"
        bare.mkdir(exist_ok=True)
        (bare / "Snakefile").write_text(BARE.format(number=self.number))
        program = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all", "--dry-run"]
        return clock(lambda: subprocess.run(program, cwd=bare, capture_output=True, check=True))

    def no_op(self) -> float:
        """Give the seconds that finding nothing to do takes."""
        return clock(self.snakemake)

    def finish(self) -> None:
        """Bring all variants into the state of having been run."""
        self.snakemake(of=FIRST)
        results, notes = self.folder / "results", self.folder / ".snakemake/metadata"
        made = [path for path in results.rglob("*") if FIRST in str(path) and not path.is_dir()]
        texts = {path: path.read_text() for path in made if path.suffix in (".json", ".tsv")}
        noted = {urlsafe_b64decode(note.name).decode(): note for note in notes.iterdir()}
        contents = {of: note.read_text() for of, note in noted.items()}
        made.sort(key=lambda path: path.lstat().st_mtime)
        for other in self._others():
            for path in made:
                _make(path, Path(str(path).replace(FIRST, other)), texts.get(path), other)
            for of, content in contents.items():
                name = urlsafe_b64encode(of.replace(FIRST, other).encode()).decode()
                (notes / name).write_text(content.replace(FIRST, other))
        self.check_finished()

    def check_finished(self) -> None:
        """Refuse to go on where a run still finds something to do."""
        ran = self.snakemake()
        assert "verified" not in ran.stdout + ran.stderr, "there was something left to do"

    def cost_per_job(self) -> float:
        """Run all, and give the seconds of Snakemake's own processor time for each job."""
        seconds = self._own_seconds(sys.executable)
        return seconds / len(list((self.folder / "results").rglob("epoch-*.log")))

    def cost_per_variant(self) -> float:
        """Give what Snakemake itself takes for a variant, whose jobs only bring finished files."""
        finished = self.folder / "finished"
        shutil.rmtree(finished, ignore_errors=True)
        shutil.move(self.folder / "results", finished)
        shutil.rmtree(self.folder / ".snakemake")
        program = self.folder / "videomae"
        program.write_text(BRING)
        program.chmod(0o700)
        seconds = self._own_seconds(str(program.with_name("python")))
        assert len(list(self.folder.glob("results/models/*/README.md"))) == self.number
        return seconds / self.number

    def _own_seconds(self, python: str) -> float:
        program = f"from tests.bench import scale; scale.run_and_tell({python!r})"
        ran = self._run(["-c", program], "*")
        return float(ran.stdout.splitlines()[-1])


def _make(original: Path, path: Path, text: str | None, name: str) -> None:
    """Make another variant's file from the one that was run: a link where only names differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if original.is_symlink():
        path.symlink_to(str(original.readlink()).replace(FIRST, name))
        shutil.copystat(original, path, follow_symlinks=False)
    elif text is not None:
        path.write_text(text.replace(FIRST, name))
        shutil.copystat(original, path)
    else:
        os.link(original, path)


def run_and_tell(python: str) -> None:
    """Run Snakemake here, and print the processor time that its jobs took it; they run `python`."""
    from snakemake.cli import main as snakemake
    from snakemake.scheduling.job_scheduler import JobScheduler

    schedule, options, seconds = JobScheduler.schedule, sys.argv[1:], 0.0

    def measured(scheduler: JobScheduler) -> bool:
        nonlocal seconds
        began = time.process_time()
        done: bool = schedule(scheduler)
        seconds = time.process_time() - began
        return done

    JobScheduler.schedule, sys.executable = measured, python
    try:
        snakemake(options)
    finally:
        print(seconds)
