"""Recognises errors that no other try mends: a name that can't be resolved, an unusable proxy."""

import socket
from collections.abc import Iterator

from videomae.errors import ConversionError, PassingError
from videomae.network.addresses import redacted

UNRESOLVED = (
    "the name can't be resolved, so this machine seems to have no network, no name server, or a "
    "proxy that HTTPS_PROXY does not name"
)
# What a run without network can do, for a checkpoint from anywhere and for a file of the hub.
ELSEWHERE = "put the file into a folder that `checkpoints_dir` names, or give its path as source"
FROM_CACHE = f"set HF_HUB_OFFLINE=1 if the hub's cache has the file, {ELSEWHERE}"


def unresolved(error: BaseException) -> bool:
    """Return whether an error of a client comes from a name that can't be resolved."""
    return any(isinstance(each, socket.gaierror) for each in _causes(error))


def of_requests(what: str, error: Exception, after: float = 0.0) -> ConversionError:
    """Return the error for a request that got no answer: lasting where no other try mends it."""
    from requests.exceptions import InvalidProxyURL

    if unresolved(error):
        return ConversionError(f"{what}: {UNRESOLVED}; {ELSEWHERE}")
    of_socks = isinstance(error, ValueError) and "SOCKS" in str(error)
    if of_socks or isinstance(error, InvalidProxyURL):
        return proxy_fault(error)
    return PassingError(f"{what}: {redacted(str(error))}", after=after)


def proxy_fault(error: Exception) -> ConversionError:
    """Return the error for a proxy that a client refuses before it connects."""
    said = redacted(" ".join(str(error).split()))
    return ConversionError(
        f"the proxy that HTTPS_PROXY or ALL_PROXY names can't be used: {said}; give "
        "http://HOST:PORT or socks5h://HOST:PORT (SOCKS needs the packages socksio and PySocks)"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()  # an error that is raised again may have itself for a context
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
