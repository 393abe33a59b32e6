"""Where are a run's results?  In a folder here, or in object storage.

There a path is one of cloudpathlib, which reads like any other. Snakemake moves files between
storage and jobs; what runs beside it, such as its tables, reads them by this.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from videomae.errors import ConversionError

HERE = "results"
# Files of datasets on the hub that are downloaded beside checkpoints, by kind.
INPUTS = ("clip", "mask", "labels")
# By which Snakemake's plugin takes its settings from the environment, and so do we.
VARIABLE = "SNAKEMAKE_STORAGE_S3_{}"
SETTINGS = {
    "endpoint_url": "endpoint_url",
    "access_key": "aws_access_key_id",
    "secret_key": "aws_secret_access_key",
    "token": "aws_session_token",
}


def address(folder: str, provider: str | None, prefix: str | None) -> str:
    """Give where a run whose rules name this folder leaves its results, by its default storage."""
    if provider is None:
        return folder.rstrip("/")
    if provider != "s3" or not (prefix or "").startswith("s3://"):
        raise ConversionError(
            f"the results can't be read in storage {provider!r} under {prefix!r}; "
            "--default-storage-provider s3 with --default-storage-prefix s3://BUCKET/FOLDER can"
        )
    return f"{prefix}".rstrip("/") + f"/{folder}".rstrip("/")


def share(settings: Any) -> None:
    """Let this process, and jobs that it starts, reach what Snakemake's plugin was told of."""
    for name in SETTINGS:
        if value := getattr(settings, name, None):
            os.environ.setdefault(VARIABLE.format(name.upper()), value)


def results(address: str) -> Path:
    """Give the results at an address, a folder or s3://BUCKET/FOLDER, to be read as a path."""
    if not address.startswith("s3://"):
        return Path(address)
    try:
        from cloudpathlib import S3Client
    except ImportError:
        raise ConversionError(
            f"reading {address} takes cloudpathlib: pip install 'videomae[storage]'"
        ) from None
    given = {key: os.environ.get(VARIABLE.format(name.upper())) for name, key in SETTINGS.items()}
    # Objects that are read are copied to a folder that goes when this process does.
    client = S3Client(**cast(dict[str, Any], given))
    return cast(Path, client.CloudPath(address))


def names(paths: Iterable[Path], results: Path) -> list[str]:
    """Name files among the results as the workflow's rules do."""
    return [f"{HERE}/{path.relative_to(results)}" for path in paths]


def place(name: str, results: Path) -> Path:
    """Give where a file is that the workflow's rules name; the opposite of `names`."""
    return results / name.removeprefix(f"{HERE}/")


def are_here(results: Path) -> bool:
    """Tell whether results are in a folder of this machine."""
    return isinstance(results, Path)
