"""The configuration file: the one in the working directory, or else the one beside the Snakefile."""

from contextlib import contextmanager
from pathlib import Path

from snakemake.exceptions import WorkflowError
from videomae.config import yaml_checks
from videomae.errors import ConversionError, one_line, said
from videomae.network import addresses
from videomae.workflow import engine


@contextmanager
def one_line_errors(where=""):
    """Let an error that is meant for people end the run with its one line."""
    try:
        yield
    except (ConversionError, OSError) as error:
        text = addresses.redacted(said(error))
        raise WorkflowError(f"{where}{one_line(text)}") from None


def config_file(name):
    """Return the path of the configuration file, once it is known to be plain YAML.

    Snakemake would run the code that some YAML files ask for, and can't say what is wrong with
    others. As a module this workflow is given its config, and the file here is another's.
    """
    if not Path(name).is_file():
        return workflow.source_path(f"../{name}")
    if not engine.config_is_given(workflow):
        with one_line_errors(f"{name}: "):
            yaml_checks.check(Path(name))
    return name
