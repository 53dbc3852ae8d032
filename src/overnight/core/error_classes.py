"""What kind of failure an exception is, by its type, its error number, or the HTTP status that it carries.

Types are compared by name, for nothing of anybody's libraries is imported here; the names of its bases
count too, so a subclass is what its base is. What is not named is unknown, which is retried like a
transient failure: to try once more costs little, and to give up wrongly costs a night. Only what no
second attempt can mend is permanent: code that does not compile, a name or a module that is not there, a
request that the server calls wrong.

Source: errno(3); RFC 9110 section 15, RFC 6585 section 4 (429).
"""

from __future__ import annotations

from collections.abc import Iterable

from overnight.core.states import ErrorClass

_BY_NAME = {
    "builtins.SyntaxError": ErrorClass.PERMANENT,
    "builtins.NameError": ErrorClass.PERMANENT,
    "builtins.ImportError": ErrorClass.PERMANENT,
    "builtins.NotImplementedError": ErrorClass.PERMANENT,
    "builtins.MemoryError": ErrorClass.RESOURCE,
    "builtins.ConnectionError": ErrorClass.TRANSIENT,
    "builtins.TimeoutError": ErrorClass.TRANSIENT,
    "socket.gaierror": ErrorClass.TRANSIENT,
    "subprocess.TimeoutExpired": ErrorClass.TRANSIENT,
    "http.client.HTTPException": ErrorClass.TRANSIENT,
    "urllib.error.URLError": ErrorClass.TRANSIENT,
    "requests.exceptions.ConnectionError": ErrorClass.TRANSIENT,
    "requests.exceptions.Timeout": ErrorClass.TRANSIENT,
    "urllib3.exceptions.HTTPError": ErrorClass.TRANSIENT,
    "httpx.TransportError": ErrorClass.TRANSIENT,
    "aiohttp.client_exceptions.ClientConnectionError": ErrorClass.TRANSIENT,
}
_SHORT_OF = frozenset({"ENOSPC", "EDQUOT", "ENOMEM", "EMFILE", "ENFILE", "EAGAIN", "ENOLCK"})
_PASSING = frozenset(
    {
        "EBUSY",
        "ECONNABORTED",
        "ECONNREFUSED",
        "ECONNRESET",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "EIO",
        "ENETDOWN",
        "ENETUNREACH",
        "EPIPE",
        "ESTALE",
        "ETIMEDOUT",
        "ETXTBSY",
    }
)
_CLIENT, _SERVER = range(400, 500), range(500, 600)
_TOO_MANY_REQUESTS, _UNAVAILABLE = 429, 503
#: Requests that are wrong now and may be right later: timeout, locked, dependency failed, too early.
_LATER = frozenset({408, 423, 424, 425})


def class_of(
    names: Iterable[str], *, errno: str = "", status: int | None = None, told_when: bool = False
) -> ErrorClass | None:
    """The class of an exception; None when nothing is known of it.

    Args:
        names: Its type and the bases of that, each as ``module.Name``, the type first.
        errno: Its error number by name, as ``ENOSPC``; empty when it has none.
        status: The HTTP status of the answer that it stands for.
        told_when: Whether that answer says when to come again.
    """
    if status is not None and (found := _by_status(status, told_when=told_when)) is not None:
        return found
    if errno in _SHORT_OF:
        return ErrorClass.RESOURCE
    if errno in _PASSING:
        return ErrorClass.TRANSIENT
    return next((_BY_NAME[name] for name in names if name in _BY_NAME), None)


def _by_status(status: int, *, told_when: bool) -> ErrorClass | None:
    if status == _TOO_MANY_REQUESTS or (status == _UNAVAILABLE and told_when):
        return ErrorClass.RATE_LIMITED
    if status in _SERVER or status in _LATER:
        return ErrorClass.TRANSIENT
    return ErrorClass.PERMANENT if status in _CLIENT else None
