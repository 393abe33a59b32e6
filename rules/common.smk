"""Shared by all rules: settings, paths, and functions for inputs, params and resources."""

import re
import shlex
import sys
import time
from contextlib import suppress
from functools import cache

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from videomae import results_location
from videomae.compatibility import releases as release_reports
from videomae.config import settings
from videomae.convert import model_folder
from videomae.download import manual_files, receipts
from videomae.files import takes_modes
from videomae.model import labels as label_lists
from videomae.network import secrets
from videomae.report import inputs, scores_table
from videomae.score import settings as score_settings
from videomae.workflow import clock, code, disk_space, outdated, run_lock, states

BEGAN = time.time()

# -- settings ---------------------------------------------------------------------------------------

with one_line_errors():
    RESULTS_ADDRESS = engine.results_address(workflow)
    results_location.share(engine.storage_options(workflow))  # with jobs, too
    RESULTS = results_location.results(RESULTS_ADDRESS)
    RESULTS_ARE_HERE = results_location.are_here(RESULTS)
    LOCK = receipts.read_lock()
with one_line_errors("config.yaml: "):
    SETTINGS = settings.read(config, shipped_labels=label_lists.SHIPPED, lock=LOCK, results=RESULTS)
    SCORED = score_settings.read(SETTINGS.score, SETTINGS.variants, RESULTS)

VARIANTS = SETTINGS.variants
secrets.provide(
    variant.source.whole
    for variant in VARIANTS.values()
    if variant.source.whole not in ("", str(variant.source))
)

CHECKPOINT = "results/checkpoints/{variant}.pth"
RECEIPT = "results/checkpoints/{variant}.json"
DISCARDED = "results/discarded/{variant}.txt"
# The output of the last step if folders are pushed, or a push is planned.
PUSHED = {
    "push": "results/pushed/{variant}.json",
    "push_plan": "results/push_plan/{variant}.txt",
}

with one_line_errors():
    # Files that somebody put in a download's place. No rule makes them, or Snakemake would delete
    # them before it makes them again.
    PLACED = {
        name
        for name, variant in VARIANTS.items()
        if RESULTS_ARE_HERE and manual_files.accept(variant.place, str(variant.source))
    }
    REQUESTED = {
        name: outdated.requested(variant, SETTINGS.recorded_outputs)
        for name, variant in VARIANTS.items()
    }
LINKED = {
    name
    for name, variant in VARIANTS.items()
    if variant.source.kind == "file" and name not in PLACED
}


def any_of(names):
    """Return the pattern that these names match, for a wildcard."""
    return "|".join(map(re.escape, sorted(names))) or "(?!)"


wildcard_constraints:
    variant=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    place="models|published",
    hub_file=r".+",
    shard=r"\d+",
    shards=r"\d+",


# -- the command of each job ------------------------------------------------------------------------

DEPLOYMENT = engine.software_deployment(workflow)
if "apptainer" in DEPLOYMENT and not SETTINGS.container:
    raise WorkflowError(
        "--sdm apptainer: config.yaml has no `container`; make an image from envs/Containerfile "
        "and give its path or address as `container`"
    )
VIDEOMAE = shlex.quote(engine.videomae_command(workflow, sys.executable))
# A job ends with its run: the shell, a child of Snakemake, becomes the command. In an environment
# of its own it may be the child of another process.
AS_A_JOB = "" if DEPLOYMENT else " --job $PPID"
COMMAND = f"exec {VIDEOMAE}{AS_A_JOB}"


def videomae(wildcards, output):
    """Begin the shell line of a step that needs no secrets.

    Snakemake compares no param that is made from an output, so this one reruns nothing.
    """
    return f"{secrets.without_secrets()} {COMMAND}"


def videomae_with_token(wildcards, output):
    """Begin the shell line of a step that talks to the hub."""
    return f"{secrets.with_token()} {COMMAND}"


# -- inputs -----------------------------------------------------------------------------------------


def own_files(paths):
    """Keep the user's files out of storage, where only results are."""
    return [path if path.startswith(f"{results_location.HERE}/") else local(path) for path in paths]


def named(paths):
    """Name files among the results as rules do."""
    return results_location.names(paths, RESULTS)


@cache
def planned_again(name):
    """Return the steps of a variant that are outdated as the run is planned, each with the reason.

    Once for all its rules, since it may take hashing the checkpoint and the folder.
    """
    with one_line_errors(f"{name}: "):
        return outdated.steps(VARIANTS[name], REQUESTED[name], RESULTS, logger.info)


@cache  # Snakemake asks for the inputs of a job more than once
def again(step, name):
    """Return the mark by which Snakemake does a step again, if it is or was outdated."""
    why = planned_again(name).get(step)
    if why is not None:
        logger.info(f"{name}: {step} runs again: {why}")
    with one_line_errors(f"{name}: "):
        return named(outdated.marks(step, name, why, RESULTS))


def rerun_mark(step):
    """Return the input function of a step that is to run again for what Snakemake can't see."""
    return lambda wildcards: again(step, wildcards.variant)


def label_files(wildcards):
    """Return the list of labels, if config.yaml names one that has to be read or downloaded."""
    names = VARIANTS[wildcards.variant].labels
    return own_files([name for name in names if name not in label_lists.SHIPPED])


def label_option(wildcards, input):
    """Return the option that names the list of labels."""
    shipped = [name for name in VARIANTS[wildcards.variant].labels if name in label_lists.SHIPPED]
    return [f"--labels={name}" for name in [*shipped, *input.labels]]


def network_options(wildcards):
    """Return the options that say what no tensor tells."""
    return VARIANTS[wildcards.variant].options


def pinned(wildcards, input):
    """Return the SHA-256 that config.yaml expects of the checkpoint, if it does."""
    return VARIANTS[wildcards.variant].pinned


def videomae_with_address(wildcards, output):
    """Begin the shell line of a download, with the secrets that its source needs."""
    source = VARIANTS[wildcards.variant].source
    if source.kind == "https":
        return f"{secrets.with_address(str(source))} {COMMAND}"
    return (videomae_with_token if source.kind == "hub" else videomae)(wildcards, output)


def fetch(variant, to, *options):
    """Return the arguments that bring a variant's checkpoint, or link it, and check it."""
    arguments = ["fetch", variant.brought_from, to, "--checkpoint", "--name", variant.name]
    return shlex.join([*arguments, *options, *variant.held_to])


def fetch_checkpoint(wildcards, output):
    """Return the arguments of a download."""
    variant = VARIANTS[wildcards.variant]
    return fetch(variant, output.checkpoint, *variant.brought_to)


def link_checkpoint(wildcards, output):
    """Return the arguments that link a local file."""
    return fetch(VARIANTS[wildcards.variant], output.checkpoint, "--receipt", output.receipt)


def withdrawn(*patterns):
    """Return the function of the options that first remove what calls an earlier folder verified."""

    def options(wildcards):
        return [f"--withdraw={RESULTS}/{pattern.format(wildcards.variant)}" for pattern in patterns]

    return options


def recorded_files(wildcards):
    """Return the clip and the mask that recorded outputs need, if these are compared."""
    if SETTINGS.recorded_outputs == "skip":
        return []
    return own_files(VARIANTS[wildcards.variant].recorded_files.values())


def training_outputs(wildcards):
    """Return the .npz file of your training code's outputs, if they are compared."""
    truth = VARIANTS[wildcards.variant].truth
    return own_files([truth]) if truth and SETTINGS.recorded_outputs != "skip" else []


def recorded_file_options(wildcards, input):
    """Return the options that say where the clip and the mask are."""
    kinds = VARIANTS[wildcards.variant].recorded_files
    return [f"{kind}={path}" for kind, path in zip(kinds, input.recorded)]


def all_shards(wildcards):
    """Return the results of all parts of a variant's list."""
    shards = SCORED[wildcards.variant].shards
    return expand(SHARD, variant=wildcards.variant, shard=range(1, shards + 1), shards=shards)


def scores_requested(wildcards):
    """Return the results of all variants that config.yaml asks to be scored."""
    if not SCORED:
        raise WorkflowError(
            "there is nothing to score: give --config 'score={videos: LIST}' and variants with a head"
        )
    return expand(inputs.SCORES, variant=SCORED)


def all_page_sources(wildcards):
    """Return what the page of all variants is made from."""
    return [path for name in VARIANTS for path in named(inputs.sources(name, RESULTS))]


def pages_to_show(wildcards):
    """Return the pages that are there, for `snakemake --report`; nothing where jobs run."""
    if not engine.reports_only(workflow):
        return []
    plots = expand(inputs.PLOT, name=inputs.PLOTS)
    drawn = [inputs.OVERVIEW, *plots, *expand(inputs.PAGE, variant=VARIANTS)]
    return [path for path in drawn if results_location.place(path, RESULTS).exists()]


def environment_failure(wildcards):
    """Return what a log says at its end where pip failed."""
    return (
        f"error: transformers {wildcards.release} and its pinned packages can't be installed with "
        "this Python; pip's message is above"
    )


def files_to_load(wildcards):
    """Return what a release loads: a verified folder's files, or those of a published one."""
    if wildcards.place == "published":
        return own_files(VARIANTS[wildcards.variant].published_files)
    made = [rules.convert.output.config, rules.convert.output.weights]
    return [*made, rules.convert.output.processor, rules.verify.output[0]]


def folder_to_load(wildcards, input):
    """Return the folder that those files are in."""
    if wildcards.place == "models":
        return os.path.dirname(input.folder[0])
    variant = VARIANTS[wildcards.variant]
    is_local = variant.published_folder == variant.published
    return variant.published if is_local else input.folder[0]


def videomae_in_environment(wildcards, input, output):
    """Begin the shell line of a step that runs under a release's environment."""
    python = shlex.quote(f"{input.environment}/bin/python")
    return (
        f"{secrets.without_secrets()} export PYTHONPATH={shlex.quote(input.package)};"
        f" exec {python} -P -m videomae.cli.main{AS_A_JOB}"
    )


# -- resources --------------------------------------------------------------------------------------

LARGEST = 2600  # MB: a checkpoint of the huge network
AROUND_A_JOB = 250  # MB: a cluster counts the Snakemake around a step too


def megabytes(path):
    """Return the size of an input; FileNotFoundError has Snakemake ask again once it is there."""
    if path.is_storage and path.storage_object.exists():
        return path.storage_object.size() >> 20
    return os.path.getsize(path) >> 20


def memory(megabytes, attempt):
    """Return the memory that a job asks for, in MB; twice as much at each retry."""
    return (megabytes + AROUND_A_JOB) << (attempt - 1)


# What the executors for Slurm and Kubernetes ask the cluster for, and `--resources gpu=N` limits.
VERIFY_GPU = {"gpu": 1} if SETTINGS.device == "cuda" else {}
SCORE_GPU = {"gpu": 1} if SETTINGS.score and SETTINGS.score.device == "cuda" else {}


def is_pretraining(config):
    """Return whether a folder's config.json is a pre-training model's; True where none is yet."""
    if not os.path.exists(config):
        return True
    text = Path(config).read_text(encoding="utf-8")
    return model_folder.CLASSES["pretraining"] in text


def verify_memory(wildcards, input, attempt):
    """Return what verifying needs: the folder's pages, and up to 0.6 GB beside them (measured).

    Of a pre-training model it computes gradients too, which take as much as the weights. A
    cluster's job of several steps is planned before there is a checkpoint: what is not known then
    is taken to be the largest of the thirteen, and for pre-training.
    """
    known = VARIANTS[wildcards.variant].known_bytes
    size = LARGEST if known is None else known >> 20
    for path in (input.checkpoint, input.weights):
        with suppress(FileNotFoundError):
            size = megabytes(path)
    gradients = size if is_pretraining(input.config) else 0
    return memory(size + gradients + sum(map(megabytes, input.truth)) + 700, attempt)


def score_memory(wildcards, input, attempt):
    """Return the network's size, and 2.5 GB for a few views and videos at once."""
    weights = megabytes(input.weights) if os.path.exists(input.weights) else LARGEST
    return memory(weights + 2500, attempt)


# -- the run ----------------------------------------------------------------------------------------


def record_receipts(due):
    """Enter into checkpoints.lock what was downloaded, but where the receipt is to be made again."""
    files = [VARIANTS[name].place for name in VARIANTS if ("receipt", name) not in due]
    with one_line_errors():
        receipts.record(file.with_suffix(".json") for file in files if receipts.of(file))


def begin_run():
    """Check what can be known before the first job, and record what a killed run had finished."""
    with one_line_errors():
        run_lock.hold(Path())
        if not takes_modes(run_lock.ALIVE.parent):
            print(
                f"{Path().absolute()} has a file system without modes, which Snakemake's records "
                "need: if they fail, give --persistence-backend db"
            )
        record_receipts({(step, name) for name in VARIANTS for step in planned_again(name)})
        if RESULTS_ARE_HERE:
            clock.check(VARIANTS.values(), RESULTS, [each.videos for each in SCORED.values()])
            print(disk_space.check(VARIANTS.values(), RESULTS, SETTINGS.keep_checkpoints))
        if SETTINGS.push_step:
            # Not at every start: the hub's client takes 0.13 s to import.
            from videomae.publish import permissions

            permissions.check_access(SETTINGS.push.namespace)


def end_run():
    """Print what every variant came to, and record what was downloaded."""
    with one_line_errors():
        due = {
            (step, name)
            for name, variant in VARIANTS.items()
            for step in outdated.steps(variant, REQUESTED[name], RESULTS)
        }
    print(states.table(VARIANTS, RESULTS, SETTINGS.push_step, due))
    if SCORED:
        print(f"\n{scores_table.table(SCORED, RESULTS)}")
    record_receipts(due)


def print_releases():
    """Print which releases load which folders, if this run looked at that."""
    logs = [*RESULTS.glob(f"logs/load/{PLACE}/*/*.log"), *RESULTS.glob("logs/environment/*.log")]
    if any(log.stat().st_mtime >= BEGAN for log in logs):
        print(release_reports.table(VARIANTS, SETTINGS.releases, RESULTS, PLACE))
