"""The door of the dashboard: every request passes here first, and what is not allowed by name is refused.

Who attacks: a page of somebody else in the same browser, a name that suddenly resolves to this machine,
another user of it. So each request must name a host of ours, come from no other page, and carry the token or the
cookie, whatever it asks for; and whatever is not a GET must also say where it comes from and carry a header that no
form and no plain request of another page can have. Rules are about what is allowed, never a list of what is not.
"""

from __future__ import annotations

from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overnight.ui.web.access import Access
from overnight.ui.web.problems import problem

#: Bytes of a request.
MOST_BODY = 64 * 1024
#: What every request that changes something carries.
HEADER = "x-overnight"
ENTER = "/enter"
_READS = frozenset({"GET", "HEAD"})
#: From where a browser says that a request comes; absent where it is no browser.
_OURS = frozenset({"same-origin", "none"})
_ALWAYS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Rules(msgspec.Struct, frozen=True):
    """Whom the door knows. `hosts`: as they stand in the Host header, with the port; `open_paths` want no token."""

    hosts: frozenset[str]
    open_paths: frozenset[str] = frozenset({"/healthz"})


def hosts_of(names: Collection[str], port: int) -> frozenset[str]:
    """What a Host header may say, for these names."""
    bracketed = [f"[{name}]" if ":" in name else name.lower() for name in names]
    return frozenset(f"{name}:{port}" for name in bracketed) | (frozenset(bracketed) if port == 80 else frozenset())  # noqa: PLR2004 - the one that is left out


class Guard:
    """Lets in who may come in, and seals every answer."""

    def __init__(self, app: ASGIApp, access: Access, rules: Rules) -> None:
        self._app = app
        self._access = access
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        refused = self._refusal(scope)
        answer = refused or self._entering(scope)
        if answer is not None:
            await answer(scope, receive, _sealed(send))
            return
        body = await _body(receive, Headers(scope=scope))
        if body is None:
            await problem(413, f"more than {MOST_BODY} bytes; nothing was done")(scope, receive, _sealed(send))
            return
        await self._app(scope, _told_again(body, receive), _sealed(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """Why this request is not answered; None when it may be."""
        headers = Headers(scope=scope)
        if [one.lower() for one in headers.getlist("host")] not in [[host] for host in self._rules.hosts]:
            return problem(421, "this host is not served here; nothing was read", "http://127.0.0.1 and the port")
        if headers.get("sec-fetch-site", "none") not in _OURS:
            return problem(403, "another page asks; nothing was read")
        if scope["method"] not in _READS | {"POST"}:
            allowed = {"allow": "GET, HEAD, POST"}
            return problem(405, f"{scope['method'][:20]} is never used here; nothing was done", headers=allowed)
        return self._unknown(scope, headers) or (None if scope["method"] in _READS else self._blind(headers))

    def _unknown(self, scope: Scope, headers: Headers) -> Response | None:
        reads = scope["method"] in _READS
        if reads and (scope["path"] in self._rules.open_paths or scope["path"] == ENTER):
            return None
        if self._has_token(headers) or self._has_cookie(headers):
            return None
        hint = "'overnight dashboard --link' prints a link for a browser; programs send 'Authorization: Bearer TOKEN'"
        return problem(
            401, "no token and no cookie of this dashboard; nothing was read", hint, {"www-authenticate": "Bearer"}
        )

    def _blind(self, headers: Headers) -> Response | None:
        """A request that changes something must be one that nobody can make without knowing."""
        origins = headers.getlist("origin")
        known = {f"http://{host}" for host in self._rules.hosts}
        if [one.lower() for one in origins] not in [[one] for one in known] and (
            origins or not self._has_token(headers)
        ):
            return problem(403, "it comes from another page, or does not say from where; nothing was done")
        if headers.getlist(HEADER) != ["1"]:
            return problem(403, "the header 'X-Overnight: 1' is missing; nothing was done")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return problem(415, "what changes something is JSON; nothing was done")
        return None

    def _has_token(self, headers: Headers) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self._access.has_token(token.strip())

    def _has_cookie(self, headers: Headers) -> bool:
        for line in headers.getlist("cookie"):
            try:
                found = SimpleCookie(line).get(self._access.cookie_name)
            except CookieError:
                continue
            if found is not None and self._access.has_cookie(found.value):
                return True
        return False

    def _entering(self, scope: Scope) -> Response | None:
        """The one page that asks for no cookie, because it gives one."""
        if scope["path"] != ENTER:
            return None
        code = dict(_pairs(scope)).get("code", "")
        if scope["method"] != "GET" or not self._access.use(code):
            hint = "'overnight dashboard --link' prints a new one; each can be used once, within ten minutes"
            return problem(403, "this link is used up or too old", hint)
        answer = RedirectResponse("/", 303, {"cache-control": "no-store"})
        name, value = self._access.cookie_name, self._access.cookie
        answer.set_cookie(name, value, max_age=30 * 86400, path="/", httponly=True, samesite="strict")
        return answer


def _pairs(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1")[:4096])


def _sealed(send: Send) -> Send:
    """Puts the headers that every answer has onto it."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _ALWAYS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending


async def _body(receive: Receive, headers: Headers) -> bytes | None:
    """What was sent; None when it is too much, however much it said that it would be."""
    said = headers.get("content-length", "0")
    if not said.isdigit() or int(said) > MOST_BODY:
        return None
    if said == "0" and "transfer-encoding" not in headers:
        return b""
    parts = bytearray()
    while True:
        message = await receive()
        parts += message.get("body", b"")
        if len(parts) > MOST_BODY:
            return None
        if not message.get("more_body"):
            return bytes(parts)


def _told_again(body: bytes, receive: Receive) -> Receive:
    told = False

    async def receiving() -> dict[str, Any]:
        nonlocal told
        if told:
            return dict(await receive())
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


def link(host: str, port: int, code: str) -> str:
    """What a person opens."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{ENTER}?code={quote(code)}"
