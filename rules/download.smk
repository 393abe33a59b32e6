"""From a source to a checkpoint with its receipt; clips, masks and label lists from the hub."""

# Variants by how their checkpoints come: by `download`, or by `link`; the others were put there.
DOWNLOADED = any_of(VARIANTS.keys() - LINKED - PLACED)
WITH_RECEIPT = any_of(VARIANTS.keys() - LINKED)
# A pattern of what is not linked is short where a training run left a thousand files to link:
# Snakemake fills it in for every job.
NOT_PLACED = rf"(?!(?:{any_of(PLACED)})\.(?:pth|json)$)[A-Za-z0-9][A-Za-z0-9._-]*"
# Local files come first, then downloads in the order of config.yaml.
FIRST = [name for name in VARIANTS if VARIANTS[name].at_hand]
FIRST += [name for name in VARIANTS if VARIANTS[name].downloads]
DOWNLOAD_MEMORY = {name: variant.download_megabytes for name, variant in VARIANTS.items()}
PRIORITY = {name: priority for priority, name in enumerate(reversed(FIRST), 1)}


# It depends on nothing but where the bytes come from: Snakemake compares `source` and the shell
# line. So no edit of code or of other fields downloads gigabytes again.
rule download:
    """Download a checkpoint."""
    input:
        again=rerun_mark("download"),
    output:
        checkpoint=CHECKPOINT,
    log:
        text="results/logs/download/{variant}.log",
        fetched="results/logs/download/{variant}.json",
    benchmark:
        "results/benchmarks/download/{variant}.tsv"
    wildcard_constraints:
        variant=DOWNLOADED,
    priority: lambda wildcards: PRIORITY.get(wildcards.variant, 0)
    localrule: SETTINGS.transfers_here  # a cluster's nodes may have no internet
    conda:
        "../envs/videomae.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: memory(DOWNLOAD_MEMORY[wildcards.variant], attempt),
        downloads=lambda wildcards: VARIANTS[wildcards.variant].downloads,
    params:
        videomae=videomae_with_address,
        source=lambda wildcards: str(VARIANTS[wildcards.variant].source),
        arguments=fetch_checkpoint,
    shell:
        "{params.videomae} {params.arguments} --log {log.text:q} --fetched {log.fetched:q}"


# A rule of its own: of one rule's outputs Snakemake would delete the one to make the other.
rule receipt:
    """Write down a checkpoint's source, size and SHA-256, and check them."""
    input:
        checkpoint=CHECKPOINT,
        again=rerun_mark("receipt"),
    output:
        RECEIPT,
    log:
        "results/logs/receipt/{variant}.log",
    wildcard_constraints:
        variant=WITH_RECEIPT,
    retries: 0
    localrule: RESULTS_ARE_HERE  # a second or less, unless the checkpoint has to come for it
    conda:
        "../envs/videomae.yaml"
    threads: 1
    params:
        videomae=videomae,
        source=lambda wildcards: str(VARIANTS[wildcards.variant].source),
        fetched=lambda wildcards, input: f"{RESULTS}/logs/download/{wildcards.variant}.json",
        expected=lambda wildcards, input: VARIANTS[wildcards.variant].held_to,
    shell:
        "{params.videomae} receipt {input.checkpoint:q} {output:q} --name {wildcards.variant:q}"
        " --source {params.source:q} --fetched {params.fetched:q} {params.expected:q} > {log:q} 2>&1"


ruleorder: download > link
ruleorder: receipt > link


# A link costs nothing to make again, so it and its receipt are one job. The file need not exist for
# the other variants to run. The files of a local copy of a hub repository are packed into one.
rule link:
    """Link a local checkpoint, and write down its source, size and SHA-256."""
    input:
        lambda wildcards: own_files(VARIANTS[wildcards.variant].existing_file),
        again=rerun_mark("receipt"),
    output:
        checkpoint=CHECKPOINT,
        receipt=RECEIPT,
    log:
        text="results/logs/download/{variant}.log",
        fetched="results/logs/download/{variant}.json",  # empty where the file is a link
    wildcard_constraints:
        variant=NOT_PLACED,
    localrule: SETTINGS.transfers_here or RESULTS_ARE_HERE
    conda:
        "../envs/videomae.yaml"
    threads: 1
    params:
        videomae=videomae,
        source=lambda wildcards: str(VARIANTS[wildcards.variant].source),
        arguments=link_checkpoint,
    shell:
        "{params.videomae} {params.arguments} --log {log.text:q} --fetched {log.fetched:q}"


rule clip:
    """Download a clip, a mask or a label list, each a file of a dataset on the hub."""
    output:
        "results/inputs/clip/{hub_file}",
    log:
        "results/logs/clip/{hub_file}.log",
    retries: 0  # the command itself tries again what another try may mend
    localrule: SETTINGS.transfers_here
    conda:
        "../envs/videomae.yaml"
    threads: 1
    params:
        videomae=videomae_with_token,
        source=lambda wildcards: f"hub:datasets/{wildcards.hub_file}",
    shell:
        "{params.videomae} fetch {params.source:q} {output:q} > {log:q} 2>&1"


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
