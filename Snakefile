"""Converts the authors' VideoMAE checkpoints to transformers: download, convert, verify, push."""

import copy
import os
import re
import shlex
import sys
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.enums import RerunTrigger
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import min_version, validate

min_version("9.27")
BEGAN = time.time()

# Scripts and modules come through Snakemake's cache of sources, so that they are found wherever a
# job runs.
SCRIPT = {step: workflow.source_path(f"scripts/{step}.py") for step in """
        job download receipt convert verify card push discard score snapshot load page overview
    """.split()}
LIBRARY = {name: workflow.source_path(f"scripts/videomae/{name}.py") for name in """
        __init__ access addresses architecture assumptions card checkpoint clips command
        containers contents data_sets description drawing drive environment errors families
        files final_norm folder folding function_checks hub imagenet imports labels licenses
        listening liveness loadable loading lockstep magic metadata names networks numbering
        opcodes options own pages pipeline_check placed planning plots precision
        preprocessing progress provenance publishable publishing quoting reading receipts
        recipes recorded reference relatives releases remote renaming replacing report
        reported restoring retrying safetensors_file settings shared signs slurm sources
        space stale status statuses stored synthetic totals training_options transfers truth
        truth_causes truth_file truth_names unchanged unpickling verification written
    """.split()}
SCORING = {f"scoring.{name}": workflow.source_path(f"scripts/scoring/{name}.py") for name in """
        __init__ accuracy asked comparing examples kept labelling lists merging models protocols
        results told videos views ways working
    """.split()}
TEMPLATES = {
    name: workflow.source_path(f"scripts/videomae/{name}")
    for name in ("card.md.jinja", "page.html.jinja", "overview.html.jinja", "style.css")
}
LABELS = {
    name: workflow.source_path(f"data/labels/{name}.txt")
    for name in ("kinetics400", "k710", "ssv2", "ucf101")
}

sys.path.insert(0, str(Path(SCRIPT["convert"]).parent))

from scoring import asked as asked_scores
from scoring import told as told_scores
from videomae import (
    addresses,
    environment,
    folder,
    imports,
    liveness,
    own,
    placed,
    planning,
    progress,
    receipts,
    releases,
    remote,
    reported,
    settings,
    slurm,
    space,
    stale,
    totals,
    written,
)
from videomae.errors import ConversionError, one_line, said

# Packages know where their modules are, and a workflow that imports this one has a path of its own.
sys.path.remove(str(Path(SCRIPT["convert"]).parent))

# As a module, this workflow changes nothing of the one that imports it.
MAIN = workflow.modifier.is_main_snakefile()

# By this a step runs again when a module that it uses is edited.
CODE = {
    step: imports.digest(SCRIPT[step], {**LIBRARY, **SCORING})
    for step in ("convert", "verify", "card", "push", "score", "load", "page", "overview")
}


@contextmanager
def told(where=""):
    """Let an error that is meant for people end the run with its one line."""
    try:
        yield
    except (ConversionError, OSError) as error:
        text = addresses.redacted(said(error))
        raise WorkflowError(f"{where}{one_line(text)}") from None


# Snakemake would run what some files ask for, and can't say what is wrong with others. As a module
# this is given its config by the workflow that imports it, whose config.yaml is none of ours.
if not workflow.modifier.skip_configfile and Path("config.yaml").is_file():
    with told("config.yaml: "):
        written.check(Path("config.yaml"))


configfile: "config.yaml"


# Jobs run under Snakemake's own Python, activated or not, and end with their run; an environment of
# its own has another Python, and who starts a job there may not be Snakemake.
DEPLOYED = bool(workflow.deployment_settings.deployment_method)
PYTHON = "python" if DEPLOYED else shlex.quote(sys.executable)


def run_by(python):
    """Give how a rule's shell line runs a script by a Python, as a job that ends with its run."""
    if DEPLOYED:
        return f"exec {python}"
    return f"{liveness.NAME_RUN} exec {python} {shlex.quote(SCRIPT['job'])}"


if MAIN:
    planning.remember(workflow.output_settings)
else:
    config = copy.deepcopy(config)  # it is a part of the other workflow's

own.type_values(config)
try:
    validate(config, "config.schema.yaml")
except WorkflowError as error:
    raise WorkflowError(settings.explain(error.__context__)) from None
# What the steps leave is read here, wherever Snakemake keeps it.
STORED_IN = workflow.storage_settings.default_storage_provider
with told():
    # A module's `prefix` stands before the paths of its rules.
    RESULTS_AT = remote.address(
        workflow.modifier.path_modifier.replace_prefix(f"{remote.HERE}/"),
        STORED_IN,
        workflow.storage_settings.default_storage_prefix,
    )
    if STORED_IN and MAIN:
        remote.share(workflow.storage_registry.default_storage_provider.settings)
    RESULTS = remote.results(RESULTS_AT)

with told():
    LOCK = receipts.read_lock()
with told("config.yaml: "):
    SETTINGS = settings.read(config, shipped_labels=LABELS, lock=LOCK, results=RESULTS)
    SCORED = asked_scores.read(config, SETTINGS.variants, RESULTS)

VARIANTS = SETTINGS.variants
# Jobs inherit them, here and where a cluster's node reads this file again.
environment.provide(
    variant.source.whole
    for variant in VARIANTS.values()
    if variant.source.whole not in ("", str(variant.source))
)
CHECKPOINT = "results/checkpoints/{variant}.pth"
RECEIPT = "results/checkpoints/{variant}.json"
FETCHED = "results/logs/download/{variant}.json"

# A file at hand is linked. What was put in its place by hand is taken as if it had been downloaded.
# No rule makes that, so that Snakemake, whatever it is forced to do, does not delete it.
LINKED, PLACED = set(), set()
with told():
    for name, variant in VARIANTS.items():
        source = variant.source
        by_hand = not STORED_IN and placed.accept(variant.place, str(source))
        if by_hand:
            PLACED.add(name)
        elif source.kind == "file":
            LINKED.add(name)

# What is asked of each variant, by which Snakemake sees an edit.
with told():
    ASKED = {
        name: stale.asked(variant, LABELS, SETTINGS.recorded_outputs)
        for name, variant in VARIANTS.items()
    }

# Exact versions of what each release of transformers is tried with.
PINS = {
    name: workflow.source_path(f"envs/releases/{name}.txt")
    for name in ("constraints", *SETTINGS.releases)
}
# Whose folders the releases load: the converted ones, or others' in their place.
PLACE = "published" if SETTINGS.published else "models"

# What the last step leaves where folders are pushed, or would be.
PUSHED = {
    "push": "results/pushed/{variant}.json",
    "push_plan": "results/push_plan/{variant}.txt",
}

# Whether jobs go to other machines, as `workflow.local_exec` tells only once the run starts.
ELSEWHERE = workflow.remote_exec or workflow.resource_settings.nodes is not None
# There a job has Snakemakes around it, which Slurm counts with it. A guess: a download of a few
# megabytes came to 363 in all.
AROUND = 250 if ELSEWHERE else 0
# One more try, with twice the memory: `slurm.Watch` keeps it for jobs that had too little. The node
# itself tries once.
RETRIES = int(ELSEWHERE and not workflow.remote_exec)
# What the executors for Slurm and Kubernetes ask the cluster for; what `--resources gpu=N` limits here.
ACCELERATOR = {
    step: {"gpu": 1} if device == "cuda" else {}
    for step, device in (
        ("verify", SETTINGS.device),
        ("score", config.get("score", {}).get("device")),
    )
}

# Jobs declare their memory; here they share the machine's, unless --resources says otherwise.
if MAIN and not ELSEWHERE and "mem" not in workflow.global_resources:
    workflow.register_resource("mem_mb", psutil.virtual_memory().total // 2**20)
# More transfers at once are no faster, and would take the cores from what has come already.
if MAIN and "downloads" not in workflow.global_resources:
    workflow.register_resource("downloads", 2)

if "container" in config:

    container: config["container"]

elif DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
    raise WorkflowError(
        "--sdm apptainer: config.yaml names no container; make an image from envs/Containerfile and give its "
        "path or address as `container`"
    )

if MAIN:

    report: "report/workflow.rst"


wildcard_constraints:
    variant=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    place="models|published",
    hub_file=r".+",
    shard=r"\d+",
    shards=r"\d+",


def any_of(names):
    """Give the pattern that these names match, for a wildcard."""
    return "|".join(map(re.escape, sorted(names))) or "(?!)"


def megabytes(path):
    """Give the size of an input, which Snakemake calls to be determined where there is none yet."""
    if path.is_storage and path.storage_object.exists():  # of which there may be no file here
        return path.storage_object.size() >> 20
    return os.path.getsize(path) >> 20  # input.size_mb takes a millisecond, ten times as long


def asked(megabytes, attempt):
    """Give what a job that needs so much memory asks for: on a cluster more, and twice on a retry."""
    return (megabytes + AROUND) << (attempt - 1)


def truth_of(wildcards):
    """Give the file of what the training code's network gives, if it is to be compared."""
    truth = VARIANTS[wildcards.variant].truth
    return given([truth]) if truth and SETTINGS.recorded_outputs != "skip" else []


def verify_megabytes(wildcards, input, attempt):
    """Give what verifying asks for: by the folder, or before there is one by the checkpoint."""
    try:
        size = megabytes(input.weights)
    except FileNotFoundError:
        size = megabytes(input.checkpoint)
    return asked(size + sum(map(megabytes, input.truth)) + 700, attempt)


def requests():
    """Give what the run's jobs ask of a cluster's nodes, as far as sizes are known."""
    jobs = [job for job in workflow.dag.needrun_jobs() if not job.is_local]
    for job in {workflow.dag.get_job_group(job) or job for job in jobs}:
        members = job.jobs if job.is_group() else [job]
        names = {one.wildcards_dict.get("variant", one.rule.name) for one in members}
        memory, partition = (job.resources.get(key) for key in ("mem_mb", "slurm_partition"))
        known = memory if isinstance(memory, int) else 0
        yield slurm.Request(tuple(sorted(names)), job.threads, known, partition)
        # A group keeps what it was asked, and would not count verify once its checkpoint is there.
        job.attempt = job.attempt


def given(paths):
    """Keep what the user names out of storage, where only results are."""
    return [path if path.startswith(f"{remote.HERE}/") else local(path) for path in paths]


def run_script(wildcards, output):
    """Begin the shell line of a step without secrets.

    Here as below: as a param it reruns nothing, since it is made from the output.
    """
    return f"{environment.without_secrets()} {run_by(PYTHON)}"


def run_with_token(wildcards, output):
    """Begin the shell line of a step that talks to the hub."""
    return f"{environment.with_token()} {run_by(PYTHON)}"


def run_download(wildcards, output):
    """Begin the shell line of a download, which needs what its source asks for."""
    source = VARIANTS[wildcards.variant].source
    if source.kind == "https":
        return f"{environment.with_address(str(source))} {run_by(PYTHON)}"
    return (run_with_token if source.kind == "hub" else run_script)(wildcards, output)


def named(paths):
    """Name files among the results as rules do."""
    return remote.names(paths, RESULTS)


@cache
def marks():
    """Give the inputs by which steps of variants are done again that only `stale` knows to be due.

    A job's own Snakemake takes what the run's has found. By what that compares is known only once
    it asks for inputs.
    """
    plan = stale.Plan(RESULTS, RerunTrigger.PARAMS in workflow.rerun_triggers, logger.info)
    with told():
        due = stale.reasons(VARIANTS, ASKED, plan) if workflow.is_main_process else {}
        return stale.mark(RESULTS, due)


def again(step):
    """Give the mark of a step that is, or was, to be done again."""
    return lambda wildcards: marks().get((step, wildcards.variant), [])


def withdrawn(variant, *files):
    """Give the option that removes what says of an earlier folder that it is verified."""
    return [f"--withdraw={RESULTS}/{file.format(variant)}" for file in files]


def release_table():
    """Draw what the releases of transformers make of the folders, as far as that is known."""
    return releases.table(VARIANTS, SETTINGS.releases, RESULTS, PLACE)


def pages_to_show(wildcards):
    """Give the report's pages that are there, where no jobs run: for `snakemake --report`."""
    if workflow.execution_settings is not None:
        return []
    plots = expand(reported.PLOT, name=reported.PLOTS)
    drawn = [reported.OVERVIEW, *plots, *expand(reported.PAGE, variant=VARIANTS)]
    return [path for path in drawn if remote.place(path, RESULTS).exists()]


def record(left):
    """Enter into checkpoints.lock what came; a receipt that is to be made again tells nothing."""
    made = [name for name in VARIANTS if ("receipt", name) not in left]
    files = [VARIANTS[name].place for name in made]
    with told():
        receipts.record(file.with_suffix(".json") for file in files if receipts.of(file))


def print_scores(left=frozenset()):
    """Print the accuracy of each variant that was to be scored, or why there is none."""
    if SCORED:
        print(f"\n{told_scores.table(SCORED, RESULTS, left)}")


def undone():
    """Give the steps that the run has yet to do, or has failed to, as (step, variant)."""
    left = workflow.dag.needrun_jobs(exclude_finished=True)
    steps = {"link": "download"}  # to which its log and its time belong
    return {
        (steps.get(job.rule.name, job.rule.name), job.wildcards_dict.get("variant")) for job in left
    }


onstart:
    liveness.end_on_sigterm(workflow.scheduler.exit_gracefully)
    planning.take_over(workflow.scheduler, workflow.local_exec)
    environments = [
        job for job in workflow.dag.needrun_jobs() if job.rule.name == "environment"
    ]
    with told():
        liveness.hold(Path())
        record(undone())  # of a run that was killed
        kept = SETTINGS.keep_checkpoints
        if not STORED_IN:
            print(space.check(VARIANTS.values(), RESULTS, len(environments), kept))
        if SETTINGS.push_step:
            # Not at every start: the hub's client takes 0.13 s of it.
            from videomae import access

            access.check_access(SETTINGS.push["namespace"])
    if workflow.executor_plugin.name == "slurm":
        with told():
            slurm.check(requests(), slurm.nodes())
        watch = slurm.Watch(workflow.scheduler.running)
        watch.begin(Path.cwd())
        logger.addHandler(watch)
    if not workflow.output_settings.quiet:
        logger.addHandler(totals.totals(VARIANTS, RESULTS, SETTINGS.push_step, undone()))


onsuccess:
    record(undone())
    asked_for = {job.rule.name for job in workflow.dag.jobs}
    if "all" in asked_for:
        print(progress.table(VARIANTS, RESULTS, SETTINGS.push_step))
    if asked_for & {"all", "merge"}:
        print_scores()


onerror:
    # Files of an earlier run may stand where a step of this one could not be done again.
    left = undone()
    print(progress.table(VARIANTS, RESULTS, SETTINGS.push_step, left, BEGAN))
    print_scores(left)
    record(left)
    if "load" in {rule for rule, _ in left}:
        print(release_table())


rule all:
    """Convert, verify and describe every chosen variant; publish it if pushing is on."""
    input:
        expand("results/verification/{variant}.json", variant=VARIANTS),
        expand("results/models/{variant}/{file}", variant=VARIANTS, file=folder.PUBLISHED),
        expand(PUSHED[SETTINGS.push_step], variant=VARIANTS) if SETTINGS.push_step else [],
        expand(reported.SCORES, variant=SCORED),
        []
        if SETTINGS.keep_checkpoints
        else expand("results/discarded/{variant}.txt", variant=VARIANTS),
        pages_to_show,


# Variants by how their checkpoints come: by `download`, by `receipt` alone, or by `link`.
BROUGHT = any_of(VARIANTS.keys() - LINKED - PLACED)
NOTED = any_of(VARIANTS.keys() - LINKED)
NOT_PLACED = rf"(?!(?:{any_of(PLACED)})\.(?:pth|json)$)[A-Za-z0-9][A-Za-z0-9._-]*"
# Bringing what is at hand comes first, then what is asked for first; what is made here takes a core.
TRANSFERS = [name for name in VARIANTS if VARIANTS[name].downloads]
AT_HAND = [name for name in VARIANTS if VARIANTS[name].at_hand]
TURN = {name: turn for turn, name in enumerate(reversed(AT_HAND + TRANSFERS), 1)}


def bringing(variant, to, *more):
    """Give the command that brings a variant's checkpoint, or links it, and checks it."""
    command = [SCRIPT["download"], variant.brought_from, to, "--checkpoint", "--name", variant.name]
    return shlex.join([*command, *more, *variant.held_to])


# A download depends on nothing but where its bytes come from: Snakemake compares `source` and the
# shell line, which never changes, while a param that is made from the output is not compared.
# So no edit of code or of other fields brings gigabytes again.
rule download:
    """Bring a checkpoint here."""
    output:
        checkpoint=CHECKPOINT,
    log:
        text="results/logs/download/{variant}.log",
        fetched=FETCHED,
    benchmark:
        "results/benchmarks/download/{variant}.tsv"
    wildcard_constraints:
        variant=BROUGHT,
    priority: lambda wildcards: TURN.get(wildcards.variant, 0)
    retries: RETRIES  # download.py itself tries again, but only what another try may mend
    localrule: SETTINGS.transfers_here  # a cluster's nodes may have no internet
    conda:
        "envs/videomae.yaml"
    # What waits for a line takes no core from what computes; a cluster gives no job less than one.
    threads: lambda wildcards: int(ELSEWHERE or not VARIANTS[wildcards.variant].downloads)
    resources:
        mem_mb=lambda wildcards, attempt: asked(
            VARIANTS[wildcards.variant].download_megabytes, attempt
        ),
        downloads=lambda wildcards: VARIANTS[wildcards.variant].downloads,
    params:
        run=run_download,
        source=lambda wildcards: str(VARIANTS[wildcards.variant].source),
        command=lambda wildcards, output: bringing(
            VARIANTS[wildcards.variant],
            output.checkpoint,
            *VARIANTS[wildcards.variant].brought_to,
        ),
    shell:
        "{params.run} {params.command} --log {log.text:q} --fetched {log.fetched:q}"


# Of the file that is there, whoever put it there: of one rule's outputs Snakemake would delete the
# one to make the other. A pin or the lock's entry, which a first run only makes, is no reason to
# hash and convert again, unless the receipt contradicts it.
rule receipt:
    """Note a checkpoint's source, size and SHA-256; hold it to its pin and to checkpoints.lock."""
    input:
        checkpoint=CHECKPOINT,
        again=again("receipt"),
    output:
        RECEIPT,
    log:
        "results/logs/receipt/{variant}.log",
    wildcard_constraints:
        variant=NOTED,
    localrule: not STORED_IN  # a second or less, unless the checkpoint has to come for it
    conda:
        "envs/videomae.yaml"
    params:
        run=run_script,
        source=rules.download.params.source,
        contradicted=lambda wildcards: VARIANTS[wildcards.variant].contradicted,
        command=lambda wildcards, input, output: shlex.join(
            [SCRIPT["receipt"], input.checkpoint, output[0], "--name", wildcards.variant]
            + ["--source", str(VARIANTS[wildcards.variant].source)]
            + [f"--fetched={remote.place(FETCHED.format(**wildcards), RESULTS)}"]
            + VARIANTS[wildcards.variant].held_to
        ),
    shell:
        "{params.run} {params.command} > {log:q} 2>&1"


# A link costs nothing to make again, so that it and its receipt are one job, of which a training run
# may leave a thousand. (The file is an input, since it may change, but need not exist for the other
# variants to run.) What is not linked goes before, as its few names are said there: a pattern of a
# thousand costs Snakemake 0.1 ms each time that it fills in one of them.
ruleorder: download > link
ruleorder: receipt > link


rule link:
    """Link a checkpoint that is at hand, and note its source, size and SHA-256."""
    input:
        lambda wildcards: given(VARIANTS[wildcards.variant].existing_file),
        again=again("receipt"),
    output:
        checkpoint=CHECKPOINT,
        receipt=RECEIPT,
    log:
        "results/logs/download/{variant}.log",
    wildcard_constraints:
        variant=NOT_PLACED,
    localrule: SETTINGS.transfers_here or not STORED_IN
    conda:
        "envs/videomae.yaml"
    params:
        run=run_script,
        source=rules.download.params.source,
        contradicted=rules.receipt.params.contradicted,
        command=lambda wildcards, output: bringing(
            VARIANTS[wildcards.variant], output.checkpoint, "--receipt", output.receipt
        ),
    shell:
        "{params.run} {params.command} --log {log:q}"


rule clip:
    """Bring a clip, a mask or a label list here, each a file of a dataset on the hub."""
    output:
        "results/inputs/clip/{hub_file}",
    log:
        "results/logs/clip/{hub_file}.log",
    retries: 0
    localrule: SETTINGS.transfers_here
    conda:
        "envs/videomae.yaml"
    params:
        run=run_with_token,
        command=lambda wildcards, output: shlex.join(
            [SCRIPT["download"], f"hub:datasets/{wildcards.hub_file}", output[0]]
        ),
    shell:
        "{params.run} {params.command} > {log:q} 2>&1"


use rule clip as mask with:
    output:
        "results/inputs/mask/{hub_file}",
    log:
        "results/logs/mask/{hub_file}.log",


use rule clip as labels with:
    output:
        "results/inputs/labels/{hub_file}",
    log:
        "results/logs/labels/{hub_file}.log",


rule convert:
    """Write a checkpoint as a transformers folder."""
    input:
        checkpoint=CHECKPOINT,
        receipt=RECEIPT,  # what that refuses is not to be used
        labels=lambda wildcards: [
            LABELS[name] if name in LABELS else given([name])[0]
            for name in VARIANTS[wildcards.variant].labels
        ],
        again=again("convert"),
        script=SCRIPT["convert"],
    output:
        config="results/models/{variant}/config.json",
        weights="results/models/{variant}/model.safetensors",
        processor="results/models/{variant}/preprocessor_config.json",
    log:
        "results/logs/convert/{variant}.log",
    benchmark:
        "results/benchmarks/convert/{variant}.tsv"
    retries: RETRIES
    conda:
        "envs/videomae.yaml"
    resources:
        # Measured: 40, and 250 where torch is needed, whatever the checkpoint's size.
        mem_mb=(lambda wildcards, attempt: asked(300, attempt)) if ELSEWHERE else 300,
    params:
        run=run_script,
        code=CODE["convert"],
        folder=subpath(output.config, parent=True),
        labels=lambda wildcards, input: [f"--labels={path}" for path in input.labels],
        options=lambda wildcards: VARIANTS[wildcards.variant].options,
        asked=lambda wildcards: ASKED[wildcards.variant].convert_digest,
        withdrawn=lambda wildcards: withdrawn(
            wildcards.variant, progress.STEPS["verify"], progress.STEPS["card"]
        ),
        pinned=lambda wildcards, input: VARIANTS[wildcards.variant].pinned,
    shell:
        "{params.run} {input.script:q} {params.withdrawn:q}"
        " {input.checkpoint:q} {params.folder:q} --receipt {input.receipt:q} {params.pinned:q}"
        " {params.labels:q} {params.options:q} --overwrite > {log:q} 2>&1"


rule verify:
    """Prove that the folder computes what the checkpoint computes."""
    input:
        checkpoint=CHECKPOINT,
        receipt=rules.convert.input.receipt,
        config=rules.convert.output.config,
        weights=rules.convert.output.weights,
        processor=rules.convert.output.processor,
        labels=rules.convert.input.labels,
        recorded=lambda wildcards: (
            given(VARIANTS[wildcards.variant].recorded_files.values())
            if SETTINGS.recorded_outputs != "skip"
            else []
        ),
        truth=truth_of,
        again=again("verify"),
        script=SCRIPT["verify"],
    output:
        "results/verification/{variant}.json",
    log:
        text="results/logs/verify/{variant}.log",
        report="results/logs/verify/{variant}.json",
    benchmark:
        "results/benchmarks/verify/{variant}.tsv"
    retries: RETRIES
    conda:
        "envs/videomae.yaml"
    resources:
        **ACCELERATOR["verify"],
        # Measured: the folder's pages, and up to 0.6 GB for transformers and activations.
        mem_mb=verify_megabytes,
    params:
        run=run_script,
        code=CODE["verify"],
        folder=subpath(input.config, parent=True),
        # Without a list they must be LABEL_0 …: only by hand are labels left out of the proof.
        labels=lambda wildcards, input: [f"--labels={path}" for path in input.labels]
        or "--labels=none",
        options=rules.convert.params.options,
        recorded=lambda wildcards: VARIANTS[wildcards.variant].recorded_option,
        # Without `input`, as Snakemake compares no param that is made from that.
        truth=lambda wildcards: (
            VARIANTS[wildcards.variant].truth_sha256 if truth_of(wildcards) else ""
        ),
        recorded_files=lambda wildcards, input: [
            f"{kind}={path}"
            for kind, path in zip(VARIANTS[wildcards.variant].recorded_files, input.recorded)
        ],
        recorded_outputs=SETTINGS.recorded_outputs,
        device=SETTINGS.device,
        asked=lambda wildcards: ASKED[wildcards.variant].verify_digest,
        withdrawn=lambda wildcards: withdrawn(wildcards.variant, progress.STEPS["card"]),
        pinned=rules.convert.params.pinned,
    shell:
        "{params.run} {input.script:q} {params.withdrawn:q}"
        " {input.checkpoint:q} {params.folder:q} --receipt {input.receipt:q} {params.pinned:q}"
        " --variant {wildcards.variant:q} {params.labels:q} {params.options:q}"
        " --recorded {params.recorded:q} --recorded-files {params.recorded_files:q}"
        " --recorded-outputs {params.recorded_outputs} --device {params.device}"
        " --report {log.report:q} --passed {output:q} > {log.text:q} 2>&1"


rule card:
    """Write the model card of a verified folder."""
    input:
        report=rules.verify.output,
        receipt=RECEIPT,
        loaded=lambda wildcards: named(releases.existing(wildcards.variant, RESULTS)),
        # As with releases: what is there when a run is planned, so that a list that can't be scored
        # keeps no card back.
        scores=lambda wildcards: named(
            reported.existing(wildcards.variant, RESULTS, reported.SCORES)
        ),
        script=SCRIPT["card"],
        template=TEMPLATES["card.md.jinja"],
    output:
        "results/models/{variant}/README.md",
    log:
        "results/logs/card/{variant}.log",
    localrule: True
    conda:
        "envs/videomae.yaml"
    params:
        run=run_script,
        code=CODE["card"],
        facts=lambda wildcards: VARIANTS[wildcards.variant].card_options(
            SETTINGS.license, SETTINGS.push.get("namespace")
        ),
    shell:
        "{params.run} {input.script:q} {input.report:q} {input.receipt:q} {output:q}"
        " --loaded {input.loaded:q} --scores {input.scores:q} {params.facts:q} > {log:q} 2>&1"


rule push:
    """Publish a verified folder on the hub as one commit."""
    input:
        report=rules.verify.output,
        config=rules.convert.output.config,
        weights=rules.convert.output.weights,
        processor=rules.convert.output.processor,
        card=rules.card.output,
        script=SCRIPT["push"],
    output:
        PUSHED["push"],
    log:
        "results/logs/push/{variant}.log",
    benchmark:
        "results/benchmarks/push/{variant}.tsv"
    localrule: SETTINGS.transfers_here
    conda:
        "envs/videomae.yaml"
    params:
        run=run_with_token,
        code=CODE["push"],
        folder=subpath(input.config, parent=True),
        repository=lambda wildcards: f"{SETTINGS.push['namespace']}/{wildcards.variant}",
        visibility=[] if SETTINGS.push["private"] else ["--public"],
        revision=f"--revision={SETTINGS.push['revision']}",
        overwrite=["--overwrite"] if SETTINGS.push["overwrite"] else [],
        dry_run=[],
    shell:
        "{params.run} {input.script:q} {params.folder:q} {input.report:q} {params.repository:q}"
        " {output:q} {params.visibility:q} {params.revision:q} {params.overwrite:q} {params.dry_run:q}"
        " --log {log:q}"


# What would be pushed depends on what the hub holds, so every run asks again: a new time is a
# changed param.
use rule push as push_plan with:
    output:
        PUSHED["push_plan"],
    log:
        "results/logs/push_plan/{variant}.log",
    benchmark:
        "results/benchmarks/push_plan/{variant}.tsv"
    params:
        dry_run=["--dry-run"],
        time=time.time(),


# Snakemake's temp() would also take a checkpoint that was put there by hand, and not wait for a push.
rule discard:
    """Remove a downloaded checkpoint whose variant is done."""
    input:
        report=rules.verify.output,
        pushed=PUSHED["push"] if SETTINGS.push_step == "push" else [],
        script=SCRIPT["discard"],
    output:
        "results/discarded/{variant}.txt",
    log:
        "results/logs/discard/{variant}.log",
    localrule: True
    conda:
        "envs/videomae.yaml"
    params:
        run=run_script,
        checkpoint=lambda wildcards: str(VARIANTS[wildcards.variant].place),
    shell:
        "{params.run} {input.script:q} {params.checkpoint:q} {output:q} > {log:q} 2>&1"


# -- accuracy on labelled videos: `score` in config.yaml --------------------------------------------
#
# What is computed of a video is kept in results/scores/.VARIANT.views/, which is no output, so that
# a job that failed, or whose list was edited, goes on from it. Results of variants that a run is not
# to score are to it files like any other.
SHARD = "results/scores/shards/{variant}/{shard}-of-{shards}.json"
SCORABLE = any_of(SCORED)


rule score:
    """Compute the logits of a part of the labelled videos."""
    input:
        videos=lambda wildcards: given([SCORED[wildcards.variant].videos]),
        report=rules.verify.output,
        config=rules.convert.output.config,
        weights=rules.convert.output.weights,
        script=SCRIPT["score"],
    output:
        SHARD,
    log:
        "results/logs/score/{variant}/{shard}-of-{shards}.log",
    benchmark:
        "results/benchmarks/score/{variant}/{shard}-of-{shards}.tsv"
    wildcard_constraints:
        variant=SCORABLE,
    retries: RETRIES
    conda:
        "envs/videomae.yaml"
    resources:
        **ACCELERATOR["score"],
        # Beside the network a few views with their activations, and a few videos' frames.
        mem_mb=lambda wildcards, input, attempt: asked(
            (megabytes(input.weights) if os.path.exists(input.weights) else 2600) + 2500, attempt
        ),
    params:
        run=run_script,
        code=CODE["score"],
        kept=[f"--output={RESULTS}/scores"],
        folder=subpath(input.config, parent=True),
        options=lambda wildcards: SCORED[wildcards.variant].computed,
    shell:
        "{params.run} {input.script:q} {params.folder:q} {input.videos:q}"
        " {params.options:q} --shard {wildcards.shard}/{wildcards.shards}"
        " {params.kept:q} --done {output:q} > {log:q} 2>&1"


rule merge:
    """Merge all parts' views into the accuracy of a variant."""
    input:
        shards=lambda wildcards: expand(
            SHARD,
            variant=wildcards.variant,
            shard=range(1, SCORED[wildcards.variant].shards + 1),
            shards=SCORED[wildcards.variant].shards,
        ),
        videos=rules.score.input.videos,
        config=rules.convert.output.config,
        script=SCRIPT["score"],
    output:
        json=reported.SCORES,
        csv="results/scores/{variant}.csv",
        examples=reported.EXAMPLES,
    log:
        "results/logs/merge/{variant}.log",
    wildcard_constraints:
        variant=SCORABLE,
    conda:
        "envs/videomae.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: asked(1500, attempt),
    params:
        run=run_script,
        code=CODE["score"],
        kept=[f"--output={RESULTS}/scores"],
        folder=subpath(input.config, parent=True),
        options=lambda wildcards: (
            SCORED[wildcards.variant].computed + SCORED[wildcards.variant].merged
        ),
    shell:
        "{params.run} {input.script:q} {params.folder:q} {input.videos:q}"
        " {params.options:q} --merge {params.kept:q} > {log:q} 2>&1"


def scores_asked(wildcards):
    """Give the results of all variants that config.yaml asks to be scored."""
    if not SCORED:
        raise WorkflowError(
            "nothing is to be scored: give --config 'score={videos: LIST}', and variants with a head"
        )
    return expand(reported.SCORES, variant=SCORED)


rule scores:
    """Score every variant with a head on the labelled videos."""
    input:
        scores_asked,


# -- the report: `snakemake pages`, then `snakemake --report report.html` ---------------------------
#
# Apart from `all`, since what failed belongs into it too.


rule page:
    """Draw one variant's page of the report from what its steps left."""
    input:
        left=lambda wildcards: named(reported.sources(wildcards.variant, RESULTS)),
        model=lambda wildcards: named(reported.model(wildcards.variant, RESULTS)),
        clip=lambda wildcards: given(VARIANTS[wildcards.variant].clip_at_hand),
        script=SCRIPT["page"],
        templates=[TEMPLATES["page.html.jinja"], TEMPLATES["style.css"]],
    output:
        report(
            reported.PAGE,
            caption="report/page.rst",
            category="Variants",
            labels={"variant": "{variant}"},
        ),
    log:
        "results/logs/page/{variant}.log",
    conda:
        "envs/videomae.yaml"
    resources:
        mem_mb=lambda wildcards, input: sum(map(megabytes, input.model)) + 700,
    params:
        run=run_script,
        code=CODE["page"],
        clip=lambda wildcards, input: [f"--clip={path}" for path in input.clip],
        model=lambda wildcards, input: [
            f"--model={os.path.dirname(path)}" for path in input.model[:1]
        ],
        family=lambda wildcards: VARIANTS[wildcards.variant].family,
        results=[f"--results={RESULTS_AT}"],
        last_step=[f"--last-step={SETTINGS.push_step}"] if SETTINGS.push_step else [],
    shell:
        "{params.run} {input.script:q} {wildcards.variant:q} {output:q}"
        " {params.results:q} {params.model:q} {params.clip:q}"
        " {params.family:q} {params.last_step:q} > {log:q} 2>&1"


rule overview:
    """Draw the report's page of all variants, and the plots over them."""
    input:
        left=lambda _: [
            path for name in VARIANTS for path in named(reported.sources(name, RESULTS))
        ],
        script=SCRIPT["overview"],
        templates=[TEMPLATES["overview.html.jinja"], TEMPLATES["style.css"]],
    output:
        report(
            reported.OVERVIEW,
            caption="report/overview.rst",
            category="All variants",
            labels={"what": "table"},
        ),
        [
            report(
                reported.PLOT.format(name=name),
                caption=f"report/{name}.rst",
                category="Plots",
                labels={"plot": name},
            )
            for name in reported.PLOTS
        ],
    log:
        "results/logs/overview.log",
    conda:
        "envs/videomae.yaml"
    params:
        run=run_script,
        code=CODE["overview"],
        folder=subpath(output[0], parent=True),
        variants=list(VARIANTS),
        families=[f"{name}={one.entry['family']}" for name, one in VARIANTS.items() if one.family],
        last_step=rules.page.params.last_step,
        results=[f"--results={RESULTS_AT}"],
    shell:
        "{params.run} {input.script:q} {params.folder:q} {params.variants:q}"
        " {params.results:q} --families {params.families:q} {params.last_step:q} > {log:q} 2>&1"


rule pages:
    """Draw all pages of the report."""
    input:
        expand(reported.PAGE, variant=VARIANTS),
        rules.overview.output,


# -- every release of transformers: `snakemake releases` -------------------------------------------


rule environment:
    """Make a virtual environment with one release of transformers."""
    input:
        pins=lambda wildcards: PINS[wildcards.release],
        constraints=PINS["constraints"],
    output:
        local(directory("results/environments/{release}")),  # of this machine
    log:
        "results/logs/environment/{release}.log",
    retries: 1
    localrule: SETTINGS.transfers_here
    conda:
        "envs/videomae.yaml"
    params:
        alone=lambda wildcards, output: environment.without_secrets(),
        python=lambda wildcards, output: PYTHON,
        failure=lambda wildcards: (
            f"error: transformers {wildcards.release} and what it is pinned with can't be "
            "installed under this Python; pip's own words are above"
        ),
    # Without compiling what won't be imported: 13 s instead of 38.
    shell:
        "{params.alone} ({params.python} -m venv {output:q} && {output:q}/bin/python -m pip install --no-compile"
        " --requirement {input.pins:q} --constraint {input.constraints:q}) > {log:q} 2>&1"
        " || {{ echo {params.failure:q} >> {log:q}; exit 1; }}"


rule snapshot:
    """Bring a published folder here from the hub."""
    output:
        directory("results/published/{variant}"),
    log:
        "results/logs/snapshot/{variant}.log",
    retries: 0
    localrule: SETTINGS.transfers_here
    conda:
        "envs/videomae.yaml"
    params:
        run=run_with_token,
        command=lambda wildcards, output: shlex.join(
            [SCRIPT["snapshot"], VARIANTS[wildcards.variant].published, output[0]]
        ),
    shell:
        "{params.run} {params.command} --log {log:q}"


def files_to_load(wildcards):
    """Give what a release loads: a verified folder's files, or those of a published one."""
    if wildcards.place == "published":
        return given(VARIANTS[wildcards.variant].published_files)
    made = [rules.convert.output.config, rules.convert.output.weights]
    return [*made, rules.convert.output.processor, rules.verify.output[0]]


def folder_to_load(wildcards, input):
    """Give the folder that those files are in."""
    if wildcards.place == "models":
        return os.path.dirname(input.folder[0])
    variant = VARIANTS[wildcards.variant]
    at_hand = variant.published_folder == variant.published
    return variant.published if at_hand else input.folder[0]


rule load:
    """Load a folder in one release of transformers and compare it with the checkpoint."""
    input:
        checkpoint=CHECKPOINT,
        receipt=rules.convert.input.receipt,
        labels=rules.convert.input.labels,
        folder=files_to_load,
        environment=local("results/environments/{release}"),
        script=SCRIPT["load"],
    output:
        "results/releases/{place}/{variant}/{release}.json",
    log:
        text="results/logs/load/{place}/{variant}/{release}.log",
        report="results/logs/load/{place}/{variant}/{release}.json",
    conda:
        "envs/videomae.yaml"
    resources:
        # Two models beside the checkpoint's pages: by its own class and by the Auto class.
        mem_mb=lambda wildcards, input: 3 * megabytes(input.checkpoint) + 1500,
    params:
        run=lambda wildcards, input, output: (
            f"{environment.without_secrets()} "
            + run_by(shlex.quote(f"{input.environment}/bin/python"))
        ),
        code=CODE["load"],
        folder=folder_to_load,
        labels=rules.convert.params.labels,
        options=lambda wildcards: VARIANTS[wildcards.variant].options,
    shell:
        "{params.run} {input.script:q} {input.checkpoint:q} {params.folder:q}"
        " --variant {wildcards.variant:q} {params.labels:q} {params.options:q} --report {log.report:q}"
        " --passed {output:q} > {log.text:q} 2>&1"


rule releases:
    """Load every folder in every release of transformers in config.yaml, and draw the table."""
    input:
        expand(
            f"results/{releases.RIGHT}",
            place=PLACE,
            variant=VARIANTS,
            release=SETTINGS.releases,
        ),
    log:
        "results/logs/releases.txt",
    localrule: True
    run:
        Path(log[0]).write_text(f"{release_table()}\n")
        print(release_table())
