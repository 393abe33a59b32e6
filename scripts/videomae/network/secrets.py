"""Gives each step the secrets that it needs through the environment, never in its command.

A run has in its own environment the hub's token, if the user set one, and each whole address of a
checkpoint that is shown without its secrets. Jobs inherit all of it, so a rule's shell line first
takes away what the step does not need. A printed line holds only names of variables.
"""

import os
from collections.abc import Iterable
from hashlib import sha256

from videomae.errors import ConversionError
from videomae.network import addresses

TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")  # as the hub's client reads them
ADDRESS = "VIDEOMAE_ADDRESS"  # of the step that downloads
ALL = f'"${{!{ADDRESS}_@}}"'  # in bash: the names of all variables that begin so


def variable(shown: str) -> str:
    """Return the name of the variable with the whole address of a shown one."""
    return f"{ADDRESS}_{sha256(shown.encode()).hexdigest()[:16]}"


def provide(whole: Iterable[str]) -> None:
    """Put whole addresses into this process's environment, where jobs find them."""
    os.environ.update({variable(addresses.shown(address)): address for address in whole})


def without_secrets() -> str:
    """Return the beginning of a shell line whose step needs no secret."""
    return f"unset {' '.join(TOKENS)} {ALL};"


def with_token() -> str:
    """Return the beginning of a shell line whose step talks to the hub."""
    return f"unset {ALL};"


def with_address(shown: str) -> str:
    """Return the beginning of a shell line whose step downloads from an address."""
    return f"export {ADDRESS}=${{{variable(shown)}-}}; {without_secrets()}"


def whole_address(shown: str) -> str:
    """Return the whole address of a download, from the environment if it is there.

    It is taken out of the environment, which children of this process inherit. Raises
    `ConversionError` if it is another's, and for an address whose query is not known.
    """
    whole = os.environ.pop(ADDRESS, "")
    if whole and addresses.shown(whole) == shown:
        return whole
    if whole or addresses.is_marked(shown):
        raise ConversionError(
            f"the address {shown} lacks its query; give the whole address in the environment "
            f"variable {ADDRESS}"
        )
    return shown
