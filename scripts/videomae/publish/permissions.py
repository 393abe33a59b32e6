"""May this run push?  Asked before anything is downloaded."""

from typing import Any

from huggingface_hub import HfApi, get_token

from videomae.errors import ConversionError, listing
from videomae.network.hub import failures
from videomae.network.retry import retrying

AT_START = 0.5  # seconds before the second try, so that a run that can't push stops soon


def check_access(namespace: str, wait: float = AT_START) -> None:
    """Refuse a run whose pushes would fail: no token, one the hub rejects, one that may not write.

    The token comes from the environment or the hub's own login, and is in no message.
    """
    if get_token() is None:
        raise ConversionError(
            "push.enabled: there is no token for the hub; log in with `hf auth login`, or set "
            "HF_TOKEN"
        )
    who = retrying(_who, "push", wait)
    # An organisation without a role in it, or a token with rights one by one, is left to the hub.
    writable = [who["name"]]
    writable += [org["name"] for org in who.get("orgs", []) if org.get("roleInOrg") != "read"]
    if namespace not in writable:
        raise ConversionError(
            f"push.namespace: {namespace} is none that the token of {who['name']} may write to; "
            f"those are {listing(writable)}"
        )
    if who.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise ConversionError(
            f"push.enabled: the token of {who['name']} may only read; make one that may write"
        )


def _who() -> dict[str, Any]:
    rejected, busy = "the hub rejects the token", "the hub can't be asked"
    with failures(f"push.enabled: {rejected}", f"push.enabled: {busy}"):
        return HfApi().whoami()
