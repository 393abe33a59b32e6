"""What of Snakemake is read though it is not documented: four things, none of them written.

They are how software is deployed, a module's modifier, the default storage, and whether jobs run.

Each was seen in Snakemake 9.27.1, and has a test in tests/workflow/test_house.py that fails when
a later release changes it.
"""

from pathlib import Path
from typing import Any

from videomae import results_location


def software_deployment(workflow: Any) -> set[str]:
    """Return the methods that give jobs their own environment: conda, apptainer, or none.

    There the command ``videomae`` is that environment's, and not the one beside Snakemake.
    """
    return {method.name.lower() for method in workflow.deployment_settings.deployment_method}


def config_is_given(workflow: Any) -> bool:
    """Return whether another workflow imports this one with a config of its own.

    Then the config.yaml in the working directory is that workflow's, and not checked by ours.
    """
    return bool(workflow.modifier.skip_configfile)


def is_imported(workflow: Any) -> bool:
    """Return whether another workflow imports this one, whose report has words of its own."""
    return not workflow.modifier.is_main_snakefile()


def results_address(workflow: Any) -> str:
    """Return where results are: a folder, with a module's prefix, or an address in object storage.

    State, tables and plans read results that are no input of a job. Raises `ConversionError` for a
    storage that can't be read here.
    """
    folder = workflow.modifier.path_modifier.replace_prefix(f"{results_location.HERE}/")
    storage = workflow.storage_settings
    return results_location.address(
        folder, storage.default_storage_provider, storage.default_storage_prefix
    )


def storage_options(workflow: Any) -> Any:
    """Return the options of the storage with the results, such as its address; None without one."""
    if workflow.storage_settings.default_storage_provider is None:
        return None
    return workflow.storage_registry.default_storage_provider.settings


def reports_only(workflow: Any) -> bool:
    """Return whether Snakemake was started with --report, and runs no jobs."""
    return workflow.execution_settings is None


def videomae_command(workflow: Any, python: str) -> str:
    """Return the path of the command beside ``python``, or its name if jobs have environments."""
    if software_deployment(workflow):
        return "videomae"
    return str(Path(python).with_name("videomae"))
