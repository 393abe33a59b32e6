"""Every release of transformers that config.yaml names: `snakemake releases`."""

ENVIRONMENT = "results/environments/{release}"
# Exact versions of what each release of transformers is tried with.
PINS = {
    name: workflow.source_path(f"../envs/releases/{name}.txt")
    for name in ("constraints", *SETTINGS.releases)
}
# Whose folders the releases load: the converted ones, or others' in their place.
PLACE = "published" if SETTINGS.published else "models"


rule environment:
    """Make a virtual environment with one release of transformers."""
    input:
        pins=lambda wildcards: PINS[wildcards.release],
        constraints=PINS["constraints"],
    output:
        local(directory(ENVIRONMENT)),  # of this machine
    log:
        "results/logs/environment/{release}.log",
    retries: 1
    localrule: SETTINGS.transfers_here
    conda:
        "../envs/videomae.yaml"
    threads: 1
    params:
        begin=secrets.without_secrets(),
        python="python" if DEPLOYMENT else shlex.quote(sys.executable),
        failure=environment_failure,
    # Without compiling what won't be imported: 13 s instead of 38.
    shell:
        "{params.begin} ({params.python} -m venv {output:q} && {output:q}/bin/python -m pip install --no-compile"
        " --requirement {input.pins:q} --constraint {input.constraints:q}) > {log:q} 2>&1"
        " || {{ echo {params.failure:q} >> {log:q}; exit 1; }}"


# Environments of other releases run this package's code without what is installed beside it.
rule package:
    """Copy this package, for environments that have none."""
    output:
        local(directory("results/environments/package")),
    log:
        "results/logs/package.log",
    localrule: SETTINGS.transfers_here
    conda:
        "../envs/videomae.yaml"
    threads: 1
    params:
        code=code.digest("load"),
        source=str(code.PACKAGE),
    shell:
        "mkdir {output:q} && cp -R {params.source:q} {output:q}/ 2> {log:q}"


rule snapshot:
    """Download a published folder from the hub."""
    output:
        directory("results/published/{variant}"),
    log:
        "results/logs/snapshot/{variant}.log",
    retries: 0  # the command itself tries again what another try may mend
    localrule: SETTINGS.transfers_here
    conda:
        "../envs/videomae.yaml"
    threads: 1
    params:
        videomae=videomae_with_token,
        arguments=lambda wildcards, output: shlex.join(
            ["snapshot", VARIANTS[wildcards.variant].published, output[0]]
        ),
    shell:
        "{params.videomae} {params.arguments} --log {log:q}"


rule load:
    """Load a folder in one release of transformers and compare it with the checkpoint."""
    input:
        checkpoint=CHECKPOINT,
        receipt=RECEIPT,
        labels=label_files,
        folder=files_to_load,
        environment=local(ENVIRONMENT),
        package=local(rules.package.output[0]),
    output:
        "results/releases/{place}/{variant}/{release}.json",
    log:
        text="results/logs/load/{place}/{variant}/{release}.log",
        report="results/logs/load/{place}/{variant}/{release}.json",
    conda:
        "../envs/videomae.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: memory(
            3 * megabytes(input.checkpoint) + 1500, attempt
        ),
    params:
        videomae=videomae_in_environment,
        code=code.digest("load"),
        folder=folder_to_load,
        labels=label_option,
        options=network_options,
    shell:
        "{params.videomae} load {input.checkpoint:q} {params.folder:q}"
        " --variant {wildcards.variant:q} {params.labels:q} {params.options:q}"
        " --report {log.report:q} --passed {output:q} > {log.text:q} 2>&1"


rule releases:
    """Load every folder in every release of transformers in config.yaml, and draw the table."""
    input:
        expand(
            f"results/{release_reports.RIGHT}",
            place=PLACE,
            variant=VARIANTS,
            release=SETTINGS.releases,
        ),
    log:
        "results/logs/releases.txt",
    localrule: True
    conda:
        "../envs/videomae.yaml"
    threads: 1
    params:
        videomae=f"{secrets.without_secrets()} {VIDEOMAE}",
        variants=list(VARIANTS),
        releases=SETTINGS.releases,
        place=PLACE,
        results=[f"--results={RESULTS_ADDRESS}"],
    shell:
        "{params.videomae} release-table {params.variants:q} --releases {params.releases:q}"
        " --place {params.place} {params.results:q} | tee {log:q}"
