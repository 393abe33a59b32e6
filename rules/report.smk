"""The report: `snakemake pages`, then `snakemake --report report.html`.

Its pages are no part of `all`, since what failed belongs into them too.
"""

LAST_STEP = [f"--last-step={SETTINGS.push_step}"] if SETTINGS.push_step else []


rule page:
    """Draw one variant's page of the report from what its steps left."""
    input:
        left=lambda wildcards: named(inputs.sources(wildcards.variant, RESULTS)),
        model=lambda wildcards: named(inputs.model(wildcards.variant, RESULTS)),
        clip=lambda wildcards: own_files(VARIANTS[wildcards.variant].clip_at_hand),
    output:
        report(
            inputs.PAGE,
            caption="../report/page.rst",
            category="Variants",
            labels={"variant": "{variant}"},
        ),
    log:
        "results/logs/page/{variant}.log",
    conda:
        "../envs/videomae.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: memory(
            sum(map(megabytes, input.model)) + 700, attempt
        ),
    params:
        videomae=videomae,
        code=code.digest("report-page"),
        clip=lambda wildcards, input: [f"--clip={path}" for path in input.clip],
        model=lambda wildcards, input: [
            f"--model={os.path.dirname(path)}" for path in input.model[:1]
        ],
        family=lambda wildcards: VARIANTS[wildcards.variant].family,
        results=[f"--results={RESULTS_ADDRESS}"],
        last_step=LAST_STEP,
    shell:
        "{params.videomae} report-page {wildcards.variant:q} {output:q} {params.results:q}"
        " {params.model:q} {params.clip:q} {params.family:q} {params.last_step:q} > {log:q} 2>&1"


rule overview:
    """Draw the report's page of all variants, and the plots over them."""
    input:
        left=all_page_sources,
    output:
        report(
            inputs.OVERVIEW,
            caption="../report/overview.rst",
            category="All variants",
            labels={"what": "table"},
        ),
        [
            report(
                inputs.PLOT.format(name=name),
                caption=f"../report/{name}.rst",
                category="Plots",
                labels={"plot": name},
            )
            for name in inputs.PLOTS
        ],
    log:
        "results/logs/overview.log",
    conda:
        "../envs/videomae.yaml"
    threads: 1
    params:
        videomae=videomae,
        code=code.digest("report-overview"),
        folder=subpath(output[0], parent=True),
        variants=list(VARIANTS),
        families=[f"{name}={one.entry.family}" for name, one in VARIANTS.items() if one.family],
        last_step=LAST_STEP,
        results=[f"--results={RESULTS_ADDRESS}"],
    shell:
        "{params.videomae} report-overview {params.folder:q} {params.variants:q} {params.results:q}"
        " --families {params.families:q} {params.last_step:q} > {log:q} 2>&1"


rule pages:
    """Draw all pages of the report."""
    input:
        expand(inputs.PAGE, variant=VARIANTS),
        rules.overview.output,
