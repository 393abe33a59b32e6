"""Checks before a run starts that it may push."""

from typing import Any

from huggingface_hub import HfApi, get_token

from videomae.errors import ConversionError, listing
from videomae.network.hub import failures
from videomae.network.retry import retrying

AT_START = 0.5  # seconds before the second try, so that a run that can't push stops soon


def check_access(namespace: str, wait: float = AT_START) -> None:
    """Raise `ConversionError` if pushes would fail: a missing, rejected or read-only token.

    The token comes from the environment or the hub's login; no message contains it.
    """
    if get_token() is None:
        raise ConversionError(
            "push.enabled: the hub needs a token; log in with `hf auth login`, or set HF_TOKEN"
        )
    who = retrying(_who, "push", wait)
    # The hub itself decides on organisations without a role, and on fine-grained tokens.
    writable = [who["name"]]
    writable += [org["name"] for org in who.get("orgs", []) if org.get("roleInOrg") != "read"]
    if namespace not in writable:
        raise ConversionError(
            f"push.namespace: the token of {who['name']} can't write to {namespace}, only to "
            f"{listing(writable)}; correct the namespace, or use another token"
        )
    if who.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise ConversionError(
            f"push.enabled: the token of {who['name']} is read-only; create one with write access"
        )


def _who() -> dict[str, Any]:
    rejected, busy = "the hub rejects the token", "the hub does not answer"
    with failures(f"push.enabled: {rejected}", f"push.enabled: {busy}"):
        return HfApi().whoami()
