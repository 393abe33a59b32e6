"""The workflow as people run it: what a run does, and what an edit or a fault makes run again."""

import contextlib
import hashlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import VideoMAEForVideoClassification
from videomae.checkpoint.reader import open_checkpoint
from videomae.checkpoint.selection import Selection
from videomae.config.entry import Entry
from videomae.config.variant import Variant
from videomae.errors import ConversionError
from videomae.verify import clips
from videomae.workflow import disk_space

from tests.conftest import (
    DATA,
    GIVEN,
    ROOT,
    Outcome,
    Workflow,
    configure_tiny,
    jobs,
)
from tests.standins.hub import Account, HubStandIn

VARIANTS = ("own-0", "own-1", "tiny-pretraining")
BROUGHT = ("download", "receipt")  # what is not at hand, which is linked
AFTER = ("card", "convert", "verify")
ESCAPE = "\x1b"  # begins colours, and what moves a cursor


def every(*rules: str, variants: tuple[str, ...] = VARIANTS) -> list[str]:
    return sorted(f"{rule} {variant}" for rule in rules for variant in variants)


# The jobs of the first run: two of the checkpoints are at hand.
FIRST = sorted(
    [*every(*AFTER), "link own-0", "link own-1", *every(*BROUGHT, variants=("tiny-pretraining",))]
)


def edit(workflow: Workflow, variant: str, **values: Any) -> None:
    configure_tiny(workflow, lambda variants: variants[variant].update(values))


def row(outcome: Outcome, variant: str) -> str:
    """Give a variant's row of the final table."""
    return next(line for line in outcome.output.splitlines() if line.startswith(f"{variant} "))


# -- a run -----------------------------------------------------------------------------------------


def test_run_takes_every_variant_through_every_step(
    finished_outcome: Outcome, finished: Workflow
) -> None:
    assert finished_outcome.code == 0, finished_outcome.output
    assert jobs(finished_outcome) == FIRST
    for variant in VARIANTS:
        assert "verified" in row(finished_outcome, variant)
        folder = finished.results / "models" / variant
        assert sorted(path.name for path in folder.iterdir()) == [
            *("README.md", "config.json", "model.safetensors", "preprocessor_config.json")
        ]
        assert json.loads((finished.results / f"verification/{variant}.json").read_text())["passed"]


def test_synthetic_weights_are_called_so_in_table_and_card(
    finished_outcome: Outcome, finished: Workflow
) -> None:
    for variant in VARIANTS:
        assert "verified, network assumed (synthetic weights)" in row(finished_outcome, variant)
        card = (finished.results / f"models/{variant}/README.md").read_text()
        assert "Synthetic weights, not a trained model" in card


def test_disk_need_is_said_beforehand(finished_outcome: Outcome) -> None:
    said = finished_outcome.output.index("disk: 0.0 GB needed in ")
    assert said < finished_outcome.output.index("localrule")


def test_finished_run_again_has_nothing_to_do(finished: Workflow) -> None:
    outcome = finished.run()
    assert outcome.code == 0
    assert jobs(outcome) == []
    assert "Nothing to be done" in outcome.output


def test_plan_shows_the_shell_line_that_each_job_ran(finished: Workflow) -> None:
    shown = finished.run("--dry-run", "--printshellcmds", "--forceall").output
    noted = (finished.folder / ".snakemake/metadata").iterdir()
    ran = {json.loads(note.read_text())["shellcmd"] for note in noted}
    planned = re.findall(r"^Shell command: (unset .*)", shown, re.MULTILINE)
    assert len(planned) == len(FIRST)
    place = re.compile(r"\S+/snakemake-runtime-cache/\w+")  # another in each run
    assert {place.sub("", line) for line in planned} == {place.sub("", line) for line in ran}


def test_plan_in_numbers_counts_the_jobs_and_shows_none(finished: Workflow) -> None:
    shown = finished.run("--dry-run", "--quiet", "rules", "--forceall").output
    counted = dict(re.findall(r"^(\w+) +(\d+)$", shown, re.MULTILINE))
    expected = Counter(["all", *(job.split()[0] for job in FIRST)])
    assert counted == {rule: str(number) for rule, number in expected.items()} | {"total": "14"}
    assert "jobid:" not in shown


def test_how_many_variants_are_done_is_said_as_each_is(finished_outcome: Outcome) -> None:
    said = re.findall(
        r"^(\d) of 3 verified(?:, ~\d+ (?:s|min) left)?$", finished_outcome.output, re.M
    )
    assert said == ["1", "2", "3"]


def test_jobs_share_the_machines_memory(finished_outcome: Outcome) -> None:
    assert re.search(r"^Provided resources: .*mem_mb=", finished_outcome.output, re.MULTILINE)


def test_run_without_activating_an_environment(workflow: Workflow) -> None:
    """No python on the PATH: the rules use the one that Snakemake runs under."""
    workflow.configure({"it": {"checkpoint": "synthetic:tiny-pretraining"}})
    assert "can't be read from this checkpoint" in workflow.run(PATH="/usr/bin:/bin").output


def test_summary_names_every_file_with_its_date_and_log(finished: Workflow) -> None:
    (finished.results / "models/own-0/README.md").unlink()
    outcome = finished.run("--summary")
    assert outcome.code == 0, outcome.output
    lines = [line.split("\t") for line in outcome.output.splitlines() if line.count("\t") == 5]
    assert lines[0] == ["output_file", "date", "rule", "log-file(s)", "status", "plan"]
    found = {line[0]: line[1:] for line in lines[1:]}
    assert len(found) == 7 * len(VARIANTS)
    assert found.pop("results/models/own-0/README.md")[3:] == ["missing", "update pending"]
    for file, (date, rule, log, *plan) in found.items():
        assert time.strptime(date), file
        assert log.startswith(f"results/logs/{'download' if rule == 'link' else rule}/"), file
        assert plan == ["ok", "no update"], file


# -- on a terminal, and not ------------------------------------------------------------------------


def test_run_writes_no_colours_into_anything_but_a_terminal(
    finished_outcome: Outcome, finished: Workflow
) -> None:
    logs = [*finished.results.glob("logs/**/*.log"), *finished.folder.glob(".snakemake/log/*")]
    assert len(logs) == len(FIRST) + 1
    assert ESCAPE not in finished_outcome.output
    assert all(ESCAPE not in log.read_text() for log in logs)


def on_terminal(workflow: Workflow, **environment: str) -> str:
    """Plan on a pseudo-terminal, and give all that is shown there."""
    ours, its = pty.openpty()
    arguments = ("--snakefile", workflow.snakefile, "--directory", workflow.folder, "--dry-run")
    with subprocess.Popen(
        [sys.executable, "-m", "snakemake", *arguments],
        env={**os.environ, "TERM": "xterm", **environment},
        stdin=its,
        stdout=its,
        stderr=its,
    ):
        os.close(its)
        shown = b""
        with contextlib.suppress(OSError):  # at its end
            while part := os.read(ours, 1 << 16):
                shown += part
    os.close(ours)
    return shown.decode()


@pytest.mark.full
def test_colours_of_a_terminal_go_by_no_color(workflow: Workflow) -> None:
    workflow.configure({"it": {}})  # an error, which is red, and soon there
    coloured, plain = on_terminal(workflow, NO_COLOR=""), on_terminal(workflow, NO_COLOR="1")
    assert ESCAPE in coloured
    assert ESCAPE not in plain
    assert "variants.it" in plain


def test_rich_logger_starts_and_ends_and_says_the_totals(finished: Workflow) -> None:
    (finished.results / "models/own-0/README.md").unlink()
    edit(finished, "own-1", config={**GIVEN["tiny-finetuned"], "num_attention_heads": 5})
    outcome = finished.run("--logger", "rich", "videomae")
    assert outcome.code == 1
    assert (finished.results / "models/own-0/README.md").exists()
    assert "0 of 1 verified, 1 failed" in outcome.output
    assert "5, which does not divide hidden_size 48" in outcome.output
    assert "FAILED at convert" in row(outcome, "own-1")
    assert ESCAPE not in outcome.output


# -- edits -----------------------------------------------------------------------------------------


@pytest.mark.full
def test_labels_of_one_variant_rerun_its_conversion_only(finished: Workflow) -> None:
    edit(finished, "own-0", labels="labels.txt")
    outcome = finished.run()
    assert jobs(outcome) == every(*AFTER, variants=("own-0",))
    config = json.loads((finished.results / "models/own-0/config.json").read_text())
    assert config["id2label"]["0"] == "label 0"


@pytest.mark.full
def test_recorded_outputs_of_one_variant_rerun_its_verification_only(finished: Workflow) -> None:
    conditions = {"clip": "synthetic", "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    edit(finished, "own-1", recorded={"shape": [1, 7], "logits": [9.0], **conditions})
    outcome = finished.run()
    assert outcome.code != 0
    assert jobs(outcome) == every("verify", variants=("own-1",))
    assert "only the recorded outputs differ" in outcome.output
    assert not (finished.results / "verification/own-1.json").exists()
    log = json.loads((finished.results / "logs/verify/own-1.json").read_text())
    assert log["recorded"]["status"] == "differs"
    assert "FAILED at verify" in row(outcome, "own-1")


def test_published_accuracy_of_one_variant_reruns_its_card_only(finished: Workflow) -> None:
    published = {"dataset": "Kinetics-400", "top1": 81.5, "source": "https://example.org/zoo"}
    edit(finished, "own-1", published=published)
    assert jobs(finished.run()) == every("card", variants=("own-1",))
    # It is not theirs: the weights are made for the tests.
    assert "81.5" not in (finished.results / "models/own-1/README.md").read_text()


def test_pinned_sha256_is_checked_without_downloading_or_converting_again(
    finished: Workflow,
) -> None:
    receipt = json.loads((finished.results / "checkpoints/own-0.json").read_text())
    wrong = ("own-1", "tiny-pretraining")

    def pin(variants: dict[str, Any]) -> None:
        variants["own-0"]["sha256"] = receipt["sha256"].upper()
        for name in wrong:
            variants[name]["sha256"] = "0" * 64

    configure_tiny(finished, pin)
    outcome = finished.run()
    assert outcome.code != 0
    assert jobs(outcome) == ["link own-1", "receipt tiny-pretraining"]
    assert outcome.output.count(f"but {'0' * 64} is expected") >= len(wrong)
    assert "FAILED at download" in row(outcome, "own-1")
    assert "FAILED at receipt" in row(outcome, "tiny-pretraining")
    assert (finished.folder / "own-1.pth").exists()
    for name in wrong:
        assert (finished.results / f"models/{name}/model.safetensors").exists()


def test_wrong_heads_given_later_fail_that_variant_and_leave_no_model(finished: Workflow) -> None:
    edit(finished, "own-0", config={**GIVEN["tiny-finetuned"], "num_attention_heads": 5})
    outcome = finished.run()
    assert outcome.code != 0
    assert "5, which does not divide hidden_size 48" in outcome.output
    assert "FAILED at convert" in row(outcome, "own-0")
    assert not list((finished.results / "models").glob("own-0/*.safetensors"))
    assert "verified" in row(outcome, "own-1")


def test_new_variant_runs_only_its_own_jobs(finished: Workflow) -> None:
    def add(variants: dict[str, Any]) -> None:
        variants["new"] = {
            "checkpoint": "synthetic:tiny-finetuned",
            "config": dict(GIVEN["tiny-finetuned"]),
        }

    configure_tiny(finished, add)
    assert jobs(finished.run("--dry-run")) == every(*BROUGHT, *AFTER, variants=("new",))


def test_changed_file_at_hand_reruns_its_variant_only(finished: Workflow) -> None:
    time.sleep(1.1)  # file systems' time stamps
    content = torch.load(finished.folder / "own-1.pth", weights_only=False)
    content["module"]["head.bias"] += 1
    torch.save(content, finished.folder / "own-1.pth")
    assert jobs(finished.run("--dry-run")) == every("link", *AFTER, variants=("own-1",))


@pytest.mark.full
def test_edited_module_reruns_what_uses_it_and_never_a_download(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in ("Snakefile", "rules", "config.schema.yaml", "scripts", "envs", "profiles"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name)
        else:
            shutil.copy(source, project)
    (tmp_path / "run").mkdir()
    workflow = Workflow(tmp_path / "run", project / "Snakefile")
    entry = {"checkpoint": "synthetic:tiny-finetuned", "config": dict(GIVEN["tiny-finetuned"])}
    workflow.configure({"it": entry})
    copied = {"PYTHONPATH": str(project / "scripts")}  # before what is installed
    assert workflow.run(**copied).code == 0
    expected = {
        ("cli/fetch.py", "cli/receipt.py", "download/sources.py", "network/retry.py"): [],
        ("publish/templates/card.md.jinja",): ["card it"],
        ("cli/verify.py",): ["card it", "verify it"],
        ("verify/comparison.py",): ["card it", "verify it"],
        ("convert/weight_mapping.py",): ["card it", "convert it", "verify it"],
    }
    for edited, rerun in expected.items():
        paths = [project / "scripts/videomae" / name for name in edited]
        before = [(path.read_text(), path.stat()) for path in paths]
        for path in paths:
            with path.open("a") as file:
                file.write("{# edited #}" if path.suffix == ".jinja" else "\n# edited\n")
        assert jobs(workflow.run("--dry-run", **copied)) == rerun, edited
        for path, (text, stat) in zip(paths, before, strict=True):
            path.write_text(text)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.full
def test_corrupt_checkpoint_stops_no_other_variant_and_mended_runs_alone(
    finished: Workflow,
) -> None:
    time.sleep(1.1)  # file systems' time stamps
    (finished.results / "models/own-0/README.md").unlink()
    path = finished.folder / "own-1.pth"
    content = torch.load(path, weights_only=False)
    good = content["module"]["head.weight"].clone()
    content["module"]["head.weight"][0, 0] = float("nan")
    torch.save(content, path)

    outcome = finished.run()
    assert outcome.code != 0
    assert "FAILED at convert" in row(outcome, "own-1")
    assert "own-1 failed at convert (results/logs/convert/own-1.log):" in outcome.output
    assert "NaN or infinite values in head.weight (1 values)" in outcome.output
    assert "card own-0" in jobs(outcome)
    assert "verified" in row(outcome, "own-0")
    assert "0 of 1 verified, 1 failed" in outcome.output

    content["module"]["head.weight"] = good
    torch.save(content, path)
    assert set(jobs(finished.run("--dry-run"))) == set(every("link", *AFTER, variants=("own-1",)))


@pytest.mark.full
def test_checkpoint_placed_by_hand_or_in_a_shared_folder_is_taken_and_held_to_what_it_was(
    workflow: Workflow, home: dict[str, str]
) -> None:
    """Nothing answers on the network."""
    entry = {"config": {"num_attention_heads": 4}}
    origins = {"placed": "gdrive:1234567890placed", "shared": "gdrive:1234567890shared"}
    workflow.configure({name: {"checkpoint": origins[name], **entry} for name in origins})
    lock, zoo = workflow.folder / "checkpoints.lock", workflow.folder / "zoo"
    placed, shared = workflow.results / "checkpoints/placed.pth", zoo / "shared.pth"
    for path in (placed, shared):
        path.parent.mkdir(parents=True)
        shutil.copy(DATA / "trained/v1-cls.pth", path)
    zoo.chmod(0o555)
    offline = {"HTTPS_PROXY": "http://127.0.0.1:9", **home}
    targets = ("results/models/placed/config.json", "results/models/shared/README.md")
    options = (*targets, "--config", f"checkpoints_dir={zoo}")
    after = ["convert placed", "receipt placed", *every("receipt", *AFTER, variants=("shared",))]
    outcome = workflow.run(*options, **offline)
    assert outcome.code == 0, outcome.output
    assert jobs(outcome) == sorted([*after, "download shared"])
    assert (workflow.results / "checkpoints/shared.pth").readlink() == shared
    assert [path.name for path in zoo.iterdir()] == ["shared.pth"]
    card = (workflow.results / "models/shared/README.md").read_text()
    assert f"| Checkpoint | `{origins['shared']}` |" in card
    assert str(zoo) not in card
    assert not lock.exists()  # nobody knows that the network gave these
    recorded = {
        origin: {"bytes": shared.stat().st_size, "sha256": "1" * 64} for origin in origins.values()
    }

    assert "Nothing to be done" in workflow.run(*options, **offline).output
    time.sleep(1.1)  # file systems' time stamps
    content = torch.load(shared, weights_only=False)
    content["model"]["head.bias"] += 1
    torch.save(content, shared)
    outcome = workflow.run(*options, "--dry-run", **offline)
    assert jobs(outcome) == every("receipt", *AFTER, variants=("shared",))
    recorded[origins["placed"]]["sha256"] = "0" * 64  # someone else's, say, that git brought
    lock.write_text(json.dumps(recorded))
    outcome = workflow.run(*targets, **offline)  # what is linked stays so
    assert outcome.code != 0
    assert jobs(outcome) == every("receipt", variants=("placed", "shared"))
    for name in origins:
        assert "FAILED at receipt" in row(outcome, name)
        assert f"for {origins[name]}; remove that entry from checkpoints.lock" in outcome.output
    assert json.loads(lock.read_text()) == recorded


@pytest.mark.full
def test_checkpoints_that_are_not_kept_go_when_done_but_never_one_put_there_by_hand(
    finished: Workflow, checkpoints: dict[str, Path]
) -> None:
    made, placed = (
        finished.results / f"checkpoints/{name}.pth" for name in ("tiny-pretraining", "own-0")
    )
    kept, inode = placed.stat(), made.stat().st_ino
    placed.unlink()
    shutil.copy(finished.folder / "own-0.pth", placed)
    os.utime(placed, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    options = ("--config", "keep_checkpoints=false")
    outcome = finished.run(*options)
    assert outcome.code == 0, outcome.output
    # What was put in a link's place is no link any more, and converted again.
    again = every("receipt", *AFTER, variants=("own-0",))
    assert jobs(outcome) == sorted([*every("discard"), *again])
    assert "GB after checkpoints are removed" in outcome.output
    assert "verified, network assumed" in row(outcome, "tiny-pretraining")
    assert placed.exists()
    assert not made.exists()
    assert (finished.folder / "own-1.pth").exists()  # of which only the link was ours
    assert "Nothing to be done" in finished.run(*options).output
    shutil.copy(checkpoints["tiny-pretraining"], made)
    os.utime(made, (1, 1))
    outcome = finished.run("--forcerun", "discard", *options)
    assert outcome.code == 0, outcome.output
    assert made.exists()
    assert made.stat().st_ino != inode


@pytest.mark.full
def test_receipt_that_a_killed_run_left_is_recorded_when_the_next_one_starts(
    workflow: Workflow, home: dict[str, str]
) -> None:
    entries = {name: {"checkpoint": f"gdrive:1234567890{name}"} for name in ("done", "changed")}
    folder = workflow.results / "checkpoints"
    folder.mkdir(parents=True)
    for name, entry in entries.items():
        receipt = {"source": entry["checkpoint"], "fetched": True, "bytes": 1}
        receipt["sha256"] = hashlib.sha256(b"x").hexdigest()
        (folder / f"{name}.pth").write_text("x")
        (folder / f"{name}.json").write_text(json.dumps(receipt))
    os.utime(folder / "changed.json", (1, 1))  # before its checkpoint came
    workflow.configure(entries, push={"enabled": True, "namespace": "lab"})
    outcome = workflow.run(HF_ENDPOINT="http://127.0.0.1:9", HF_TOKEN="hf_good", **home)
    assert "push.enabled: the hub does not answer" in outcome.output  # so it ends where it starts
    assert jobs(outcome) == []
    lock = json.loads((workflow.folder / "checkpoints.lock").read_text())
    held = {"bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    assert lock == {"gdrive:1234567890done": held}


def test_checkpoint_put_in_the_place_of_a_file_that_is_elsewhere_is_taken_not_linked(
    workflow: Workflow,
) -> None:
    """Snakemake would delete it to link what is not there."""
    placed = workflow.results / "checkpoints/own.pth"
    placed.parent.mkdir(parents=True)
    placed.touch()
    workflow.configure({"own": {"checkpoint": "/cluster/run7/own.pth"}})
    outcome = workflow.run()
    assert jobs(outcome) == ["receipt own"]
    assert "is an empty file; remove" in outcome.output
    assert placed.exists()


def test_missing_checkpoint_is_one_message_and_stops_no_other_variant(workflow: Workflow) -> None:
    entry = {"checkpoint": "synthetic:tiny-finetuned", "config": dict(GIVEN["tiny-finetuned"])}
    workflow.configure({"lost": {"checkpoint": "nowhere.pth"}, "here": entry})
    outcome = workflow.run()
    assert outcome.code != 0
    assert f"lost: {workflow.folder}/nowhere.pth: no such file" in outcome.output
    assert "FAILED at download" in row(outcome, "lost")
    assert "Error in rule link" in outcome.output
    assert "MissingOutputException" not in outcome.output
    assert "verified" in row(outcome, "here")
    assert [path.name for path in workflow.results.glob("*/lost*")] == []


def test_config_error_is_one_message_before_any_job(workflow: Workflow) -> None:
    workflow.configure({"it": {"checkpoint": "synthetic:tiny-finetuned", "config": {"heads": 3}}})
    outcome = workflow.run()
    assert outcome.code != 0
    assert "config.yaml: variants.it.config.heads: unknown key" in outcome.output
    assert jobs(outcome) == []
    assert not workflow.results.exists()


def test_unknown_model_is_one_message(finished: Workflow) -> None:
    outcome = finished.run("--config", "models=own-2")
    assert outcome.code != 0
    assert "'own-2' is not a variant (did you mean own-1?)" in outcome.output


def test_chosen_models_run_alone(finished: Workflow) -> None:
    shutil.rmtree(finished.results / "models")
    outcome = finished.run("--config", "models=own-0,tiny-pretraining", "--dry-run")
    assert jobs(outcome) == every(*AFTER, variants=("own-0", "tiny-pretraining"))


def test_run_that_needs_more_disk_than_there_is_stops_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = Entry.model_validate({"checkpoint": "synthetic:videomae-huge"})
    variant = Variant("huge", huge, None)
    assert "disk: 5.5 GB needed in" in disk_space.check([variant], tmp_path)
    with (tmp_path / "zoo.pth").open("wb") as file:
        file.truncate(2 * 10**8)
    entry = Entry.model_validate({"checkpoint": "gdrive:1234567890"})
    shared = Variant("it", entry, None, at_hand=f"{tmp_path}/zoo.pth")
    assert "disk: 0.2 GB needed in" in disk_space.check([shared], tmp_path)
    usage = shutil.disk_usage(tmp_path)._replace(free=5 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(ConversionError, match=r"5\.5 GB needed .*; free 0\.5 GB more"):
        disk_space.check([variant], tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, who tests, may write everywhere
    with pytest.raises(ConversionError, match="is not writable: it is read-only or"):
        disk_space.check([variant], tmp_path)


# -- checkpoints without an entry ------------------------------------------------------------------


@pytest.mark.full
@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("zero_pp_rank_0_mp_rank_00_model_states.pt", "ZeRO-3 has spread the weights over 1 files"),
        ("notes.txt", "the folder has 0 DeepSpeed files mp_rank_NN_model_states.pt"),
    ],
)
def test_folder_without_one_checkpoint_fails_alone(
    inside: str, said: str, workflow: Workflow
) -> None:
    workflow.configure({})
    (workflow.folder / "run/b.pth").mkdir(parents=True)
    (workflow.folder / "run/b.pth" / inside).touch()
    (workflow.folder / "run/a.pth").symlink_to(DATA / "trained/v1-cls.pth")
    given = "config={num_attention_heads: 4}"
    outcome = workflow.run("--keep-going", "--config", "checkpoints=run/*.pth", given)
    assert outcome.code == 1
    assert "Traceback" not in outcome.output
    assert f"b.pth: {said}" in outcome.output
    assert (workflow.results / "verification/a.json").exists()


@pytest.mark.full
def test_every_epoch_of_a_run_is_converted_by_one_pattern(workflow: Workflow) -> None:
    workflow.configure({})
    run = workflow.folder / "run7"
    (run / "deepspeed" / "last").mkdir(parents=True)
    opened = open_checkpoint(DATA / "trained/v1-finetuned.pth", Selection("model_ema"))
    save_file(dict(opened.tensors), run / "epoch-1.pth")
    half = {name: tensor.half() for name, tensor in opened.tensors.items()}
    torch.save({"module": half}, run / "deepspeed/last/mp_rank_00_model_states.pt")
    (run / "deepspeed/latest").write_text("last")
    given = "config={num_attention_heads: 3, num_frames: 8, image_size: 64}"
    outcome = workflow.run("--config", "checkpoints=run7/*", given)
    assert outcome.code == 0, outcome.output
    for name in ("epoch-1", "deepspeed"):
        assert "verified" in row(outcome, name)
    sizes = [
        (workflow.results / f"models/{name}/model.safetensors").stat().st_size
        for name in ("epoch-1", "deepspeed")
    ]
    assert max(sizes) - min(sizes) < 200  # all float32


@pytest.mark.full
def test_chosen_weights_are_converted_and_verified(workflow: Workflow) -> None:
    workflow.configure({})
    path = DATA / "trained/v1-finetuned.pth"
    truth = json.loads((DATA / "trained/v1-finetuned.json").read_text())["truth"]["model_ema"]
    given = ("config={num_attention_heads: 3}", "weights=model_ema")
    outcome = workflow.run("--config", f"checkpoint={path}", *given)
    assert outcome.code == 0, outcome.output
    log = (workflow.results / "logs/convert/v1-finetuned.log").read_text()
    assert "state dict: model_ema" in log
    assert "other state dicts: model (choose one by `weights`" in log
    model = VideoMAEForVideoClassification.from_pretrained(
        workflow.results / "models/v1-finetuned"
    ).eval()
    pixels = clips.normalise(clips.synthetic_clip(8, 64), [0.5] * 3, [0.5] * 3)
    with torch.no_grad():
        logits = model(pixels).logits[0]
    assert logits.tolist() == pytest.approx(truth["with_final_norm_eps_1e-5"]["logits"], abs=1e-5)


# -- from the hub, and to it -----------------------------------------------------------------------


def test_checkpoint_labels_and_clip_come_from_the_hub_and_the_folder_goes_there(
    workflow: Workflow, home: dict[str, str]
) -> None:
    truth = json.loads((DATA / "trained/v1-cls.json").read_text())["truth"]["model"]
    np.save(workflow.folder / "clip.npy", clips.synthetic_clip(8, 48))
    with HubStandIn(tokens={"hf_good": Account("alice", orgs=["lab"], can_write=True)}) as hub:
        hub.add_file("model", "them/zoo", "it.pth", (DATA / "trained/v1-cls.pth").read_bytes())
        labels = json.dumps({str(number): f"class {number}" for number in range(5)})
        hub.add_file("dataset", "them/files", "id2label.json", labels.encode())
        hub.add_file(
            "dataset", "them/files", "clip.npy", (workflow.folder / "clip.npy").read_bytes()
        )
        recorded = {
            "shape": [1, 5],
            "logits": truth["logits"],
            "clip": "hub:datasets/them/files/clip.npy",
            "image_mean": [0.5] * 3,
            "image_std": [0.5] * 3,
        }
        entry = {
            "checkpoint": "hub:them/zoo/it.pth",
            "config": {"num_attention_heads": 4},
            "labels": "hub:them/files/id2label.json",
            "recorded": recorded,
        }
        workflow.configure({"mine": entry}, push={"enabled": True, "namespace": "lab"})
        client = {
            "HF_ENDPOINT": hub.endpoint,
            "HF_TOKEN": "hf_good",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        outcome = workflow.run(**home, **client)
        assert outcome.code == 0, outcome.output
        assert {job.split()[0] for job in jobs(outcome)} == {
            *("download", "receipt", "clip", "labels", "convert", "verify", "card", "push")
        }
        assert "pushed" in row(outcome, "mine")
        said = re.search(r"^mine: 2\.4 of 2\.4 MB", outcome.output, re.MULTILINE)
        assert said
        assert said[0] in (workflow.results / "logs/download/mine.log").read_text()
        assert "mask" not in jobs(outcome)
        assert hub.repos["model", "lab/mine"].private
        receipt = json.loads((workflow.results / "pushed/mine.json").read_text())
        assert receipt["repo_id"] == "lab/mine"

        # Another time, without the hub: its cache has all of it, and the lock tells if it is that.
        lock = json.loads((workflow.folder / "checkpoints.lock").read_text())
        assert list(lock) == ["hub:them/zoo/it.pth"]
        workflow.configure({"mine": entry})
        shutil.rmtree(workflow.results)
        hub.requests.clear()
        inputs = ("clip/them/files/clip.npy", "labels/them/files/id2label.json")
        targets = ("results/checkpoints/mine.json", *(f"results/inputs/{name}" for name in inputs))
        outcome = workflow.run(*targets, HF_HUB_OFFLINE="1", **home, **client)
        assert outcome.code == 0, outcome.output
        assert jobs(outcome) == ["clip", "download mine", "labels", "receipt mine"]
        assert not hub.requests


@pytest.mark.full
def test_push_that_fails_runs_again_alone_and_the_token_is_written_nowhere(
    workflow: Workflow, home: dict[str, str]
) -> None:
    token = "hf_a_secret_of_the_tests"
    entry = {"checkpoint": str(DATA / "trained/v1-cls.pth"), "config": {"num_attention_heads": 4}}
    push = {"enabled": True, "namespace": "lab", "revision": "v2"}
    with HubStandIn(tokens={token: Account("alice", orgs=["lab"], can_write=True)}) as hub:
        client = {
            "HF_ENDPOINT": hub.endpoint,
            "HF_TOKEN": token,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            **home,
        }
        workflow.configure({"one": entry, "two": entry}, push={**push, "dry_run": True})
        outcome = workflow.run(**client)
        assert outcome.code == 0, outcome.output
        assert "verified, network assumed, not pushed (dry run)" in row(outcome, "two")
        assert "lab/two, branch v2, private (this repository would be created)" in outcome.output
        outcome = workflow.run("--dry-run", **client)  # it asks again: the hub may have changed
        assert jobs(outcome) == ["push_plan one", "push_plan two"]
        assert not hub.repos
        assert not list(workflow.results.glob("pushed/*"))

        workflow.configure({"one": entry, "two": entry}, push=push)
        hub.fail("POST", "/lab/two/commit/", 403)
        outcomes = [workflow.run(**client)]
        assert jobs(outcomes[0]) == ["push one", "push two"]
        assert "pushed" in row(outcomes[0], "one")
        assert "FAILED at push" in row(outcomes[0], "two")
        assert "the hub refused lab/two@v2: 403 Forbidden" in outcomes[0].output
        outcomes.append(workflow.run(**client))
        assert outcomes[1].code == 0, outcomes[1].output
        assert jobs(outcomes[1]) == ["push two"]
    for name in ("one", "two"):
        receipt = json.loads((workflow.results / f"pushed/{name}.json").read_text())
        repo = hub.repos["model", f"lab/{name}"]
        assert (receipt["revision"], receipt["commit"]) == ("v2", repo.branches["v2"].sha)
        assert len(repo.commits) == 2  # the hub's own, and one
    written = [path for path in workflow.folder.rglob("*") if path.is_file()]
    for folder in ("results/logs", "results/benchmarks", ".snakemake/log", ".snakemake/metadata"):
        assert any(path.is_relative_to(workflow.folder / folder) for path in written), folder
    assert [path for path in written if token.encode() in path.read_bytes()] == []
    assert all(token not in outcome.output for outcome in outcomes)


def test_clip_that_can_not_be_had_is_the_reason_in_the_table(
    finished: Workflow, home: dict[str, str]
) -> None:
    clip = "hub:datasets/them/files/clip.npy"
    conditions = {"clip": clip, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    edit(finished, "own-1", recorded={"shape": [1, 7], "logits": [9.0], **conditions})
    with HubStandIn(tokens={}) as hub:
        outcome = finished.run(HF_ENDPOINT=hub.endpoint, HF_TOKEN="", **home)
    assert outcome.code != 0
    assert "the hub did not give datasets/them/files/clip.npy" in outcome.output
    assert "FAILED at verify" in row(outcome, "own-1")
    log = "results/logs/clip/them/files/clip.npy.log"
    assert f"own-1 failed at verify ({log}):\n  clip.npy: the hub did not give" in outcome.output
    assert "verified" in row(outcome, "own-0")


# -- the workflow's own consistency ----------------------------------------------------------------


@pytest.mark.parametrize("directory", [".", "rehearsal"])
def test_shipped_configs_plan_thirteen_variants(directory: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / directory / "config.yaml", tmp_path)
    outcome = Workflow(tmp_path).run("--dry-run")
    assert outcome.code == 0, outcome.output
    planned = jobs(outcome)
    for rule in (*BROUGHT, *AFTER):
        assert sum(job.startswith(f"{rule} ") for job in planned) == 13
    assert outcome.output.count("downloads=1") == (13 if directory == "." else 0)
    assert sum(job in ("clip", "mask") for job in planned) == (2 if directory == "." else 0)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_only_what_computes_on_an_accelerator_asks_for_one(workflow: Workflow, device: str) -> None:
    variant = {"checkpoint": "synthetic:tiny-finetuned", "config": GIVEN["tiny-finetuned"]}
    (workflow.folder / "list.csv").touch()
    score = {"videos": "list.csv", "protocol": "ucf101", "device": device}
    workflow.configure({"tiny": variant}, device=device, score=score)
    outcome = workflow.run("--dry-run")
    assert outcome.code == 0, outcome.output
    rules = re.findall(r"^rule (\w+):|\bgpu=(\d+)", outcome.output, re.MULTILINE)
    asking = [rules[place - 1][0] for place, (_, number) in enumerate(rules) if number == "1"]
    assert sorted(asking) == (["score", "verify"] if device == "cuda" else [])


@pytest.mark.full
def test_notes_in_a_database_do_as_well(workflow: Workflow) -> None:
    """A download is not taken for a file that somebody put there, which no run would make again."""
    entry = {"checkpoint": "synthetic:tiny-finetuned", "config": dict(GIVEN["tiny-finetuned"])}
    workflow.configure({"it": entry})
    database = ("--persistence-backend", "db")
    assert workflow.run(*database).code == 0
    assert "Nothing to be done" in workflow.run(*database).output
    planned = jobs(workflow.run(*database, "--dry-run", "--forcerun", "download"))
    assert planned == every("download", "receipt", *AFTER, variants=("it",))
