"""The door of the dashboard: each line of what attackers try is one test, and the door is a real one."""

from __future__ import annotations

import contextlib
import re
import stat
import time
from pathlib import Path

import pytest
from dashboards import PATIENCE, Served, serving, store_of

from overnight.core.errors import HomeUnusableError
from overnight.host.home import Home
from overnight.ui.web import feed
from overnight.ui.web import serving as web_serving
from overnight.ui.web.access import LINK_LIFE, Access, new_code, token_of
from overnight.ui.web.app import PAGES
from overnight.ui.web.guard import MOST_BODY

READS = [
    *(
        "overview",
        "pulse",
        "since",
        "stream",
        "tasks",
        "tasks/1",
        "tasks/1/log",
        "tasks/1/graph",
        "causes",
        "workflows",
    ),
    *("workflows/x/graph", "timeline", "history", "gauges", "events", "checkpoints", "health", "strips"),
]
ACTS = [
    *("tasks/retry", "tasks/cancel", "tasks/hold", "tasks/release", "edit", "pause", "unpause", "stop", "checkpoint"),
    *("checkpoints/20260101-000000-1/verify", "checkpoints/20260101-000000-1/restore"),
]


def enter(served: Served) -> str:
    """Go through a link like a browser; the cookie."""
    path = served.dashboard.link().partition(served.host)[2]
    answer = served.ask("GET", path, token=False)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    return answer.headers["set-cookie"].partition(";")[0]


# -- the token --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", READS)
def test_nothing_is_read_without_a_token(path: str, served: Served) -> None:
    """Status tells names and paths."""
    answer = served.get(path, token=False)
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"disk" not in answer.body


@pytest.mark.parametrize(
    "path", ["/", *(f"/{name}" for name in PAGES), "/static/app.js", "/openapi.json", "/metrics", "/readyz"]
)
def test_pages_and_files_want_it_too(path: str, served: Served) -> None:
    assert served.ask("GET", path, token=False).status == 401
    assert served.ask("GET", path).status == 200


def test_only_healthz_is_open_and_it_says_nothing(served: Served) -> None:
    assert served.ask("GET", "/healthz", token=False).body == b"ok\n"


def test_metrics_can_be_opened_and_nothing_else_is(home: Home) -> None:
    with serving(home, open_metrics=True) as served:
        assert b"overnight_tasks" in served.ask("GET", "/metrics", token=False).body
        assert served.get("pulse", token=False).status == 401


@pytest.mark.parametrize("words", ["Bearer", "Bearer wrong", "Basic {}", "{}", "Bearer {}x", "Bearer é"])
def test_what_is_nearly_a_token_is_none(words: str, served: Served) -> None:
    header = {"Authorization": words.format(served.token).encode().decode("latin-1")}
    assert served.get("pulse", headers=header).status == 401


def test_nobody_else_can_read_the_token(served: Served) -> None:
    mode = served.home.token.stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert len(served.token) >= 43  # 256 bits


def test_a_token_that_others_can_read_is_not_used(home: Home) -> None:
    token_of(home.token)
    home.token.chmod(0o644)
    with pytest.raises(HomeUnusableError, match="others can read it"):
        token_of(home.token)


def test_a_token_behind_a_link_is_not_used(home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "planted"
    elsewhere.write_text("x" * 50)
    elsewhere.chmod(0o600)
    home.token.symlink_to(elsewhere)
    with pytest.raises(HomeUnusableError):
        token_of(home.token)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 50])
def test_a_file_without_a_token_is_not_one(content: bytes, home: Home) -> None:
    home.token.write_bytes(content)
    home.token.chmod(0o600)
    with pytest.raises(HomeUnusableError, match="no token"):
        token_of(home.token)


def test_the_token_is_made_once(home: Home) -> None:
    assert token_of(home.token) == token_of(home.token)
    assert [one for one in home.path.iterdir() if one.name.startswith(".token")] == []


# -- links and cookies ------------------------------------------------------------------------------


def test_a_link_is_good_for_one_browser(served: Served) -> None:
    path = served.dashboard.link().partition(served.host)[2]
    assert served.ask("GET", path, token=False).status == 303
    assert served.ask("GET", path, token=False).status == 403


def test_the_cookie_is_for_no_script_and_no_other_site(served: Served) -> None:
    path = served.dashboard.link().partition(served.host)[2]
    words = served.ask("GET", path, token=False).headers["set-cookie"].lower()
    assert "httponly" in words
    assert "samesite=strict" in words
    assert served.token.lower() not in words


def test_a_cookie_opens_what_a_token_opens(served: Served) -> None:
    cookie = enter(served)
    assert served.get("pulse", token=False, headers={"Cookie": cookie}).status == 200
    assert served.get("pulse", token=False, headers={"Cookie": f"a=b; {cookie}; c=d"}).status == 200
    assert served.get("pulse", token=False, headers={"Cookie": cookie[:-1]}).status == 401


def test_a_cookie_outlives_the_process_and_not_the_token(home: Home) -> None:
    with serving(home) as first:
        cookie = enter(first)
    with serving(home) as second:
        assert second.get("pulse", token=False, headers={"Cookie": cookie}).status == 200
    home.token.unlink()
    with serving(home) as third:
        assert third.get("pulse", token=False, headers={"Cookie": cookie}).status == 401


def test_a_link_that_another_process_makes_is_good(served: Served) -> None:
    code = new_code(served.token, time.time())
    assert served.ask("GET", f"/enter?code={code}", token=False).status == 303


class _Moment:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_link_is_too_old_after_a_while() -> None:
    moment = _Moment()
    access = Access("t" * 43, "home", moment)
    code = access.code()
    moment.now += LINK_LIFE + 1
    assert not access.use(code)


def test_a_link_from_before_a_restart_is_none() -> None:
    """Which of those were used nobody knows any more."""
    moment = _Moment()
    code = new_code("t" * 43, moment.now)
    moment.now += 60
    assert not Access("t" * 43, "home", moment).use(code)


@pytest.mark.parametrize("code", ["", "1.2.3", "..", "٣.x.y", "9" * 40 + ".x.y", "1000000000.n.{seal}"])
def test_a_code_that_nobody_made_is_none(code: str) -> None:
    assert not Access("t" * 43, "home", _Moment()).use(code.format(seal="0" * 64))


# -- who asks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.evil.example:{port}",
        "",
        "127.0.0.1:{port}.x",
    ],
)
def test_another_host_is_not_served(host: str, served: Served) -> None:
    """A name of somebody else that suddenly means this machine (DNS rebinding)."""
    answer = served.get("pulse", headers={"Host": host.format(port=served.port)})
    assert answer.status == 421


@pytest.mark.parametrize("path", ["/healthz", "/enter?code=x", "/static/app.js", "/"])
def test_another_host_is_not_even_told_that_it_is_well(path: str, served: Served) -> None:
    assert served.ask("GET", path, headers={"Host": "evil.example"}).status == 421


def test_two_hosts_are_none(served: Served) -> None:
    with served.raw() as line:
        line.sendall(f"GET /healthz HTTP/1.1\r\nHost: {served.host}\r\nHost: evil\r\n\r\n".encode())
        assert line.recv(100).split()[1] in (b"400", b"421")


@pytest.mark.parametrize("host", ["localhost:{port}", "[::1]:{port}", "LocalHost:{port}"])
def test_all_names_of_this_machine_are_served(host: str, served: Served) -> None:
    assert served.get("pulse", headers={"Host": host.format(port=served.port)}).status == 200


def test_a_name_that_was_given_is_served(home: Home) -> None:
    with serving(home, names=("night.example",)) as served:
        assert served.get("pulse", headers={"Host": f"night.example:{served.port}"}).status == 200
        assert served.dashboard.link().startswith(f"http://night.example:{served.port}/")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_another_page_of_the_browser_reads_nothing(site: str, served: Served) -> None:
    """Another port of this machine is the same site, and gets the cookie."""
    cookie = enter(served)
    assert served.get("pulse", token=False, headers={"Cookie": cookie, "Sec-Fetch-Site": site}).status == 403


@pytest.mark.parametrize("path", ACTS)
def test_nothing_is_done_without_a_token(path: str, served: Served) -> None:
    assert served.post(path, token=False).status == 401


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://{host}", "http://127.0.0.1:1", "http://{host}.x", None]
)
def test_nothing_is_done_for_another_page(origin: str | None, path: str, served: Served) -> None:
    cookie = enter(served)
    headers = {"Cookie": cookie, "Origin": origin and origin.format(host=served.host)}
    assert served.post(path, token=False, headers=headers).status == 403
    assert _paused(served) is False


def test_a_token_does_not_make_a_strange_origin_ours(served: Served) -> None:
    assert served.post("pause", headers={"Origin": "http://evil.example"}).status == 403


@pytest.mark.parametrize("value", [None, "0", "", "1, 1"])
def test_nothing_is_done_without_our_header(value: str | None, served: Served) -> None:
    """A form, and a plain request of another page, cannot have it."""
    assert served.post("pause", headers={"X-Overnight": value}).status == 403
    assert _paused(served) is False


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_what_is_done_is_json(kind: str | None, served: Served) -> None:
    assert served.post("pause", headers={"Content-Type": kind}).status == 415
    assert _paused(served) is False


def test_our_own_page_may(own: Served) -> None:
    cookie = enter(own)
    headers = {"Cookie": cookie, "Origin": f"http://{own.host}", "Sec-Fetch-Site": "same-origin"}
    assert own.post("pause", token=False, headers=headers).status == 200
    assert _paused(own) is True


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "FOO"])
@pytest.mark.parametrize("path", ["/api/v1/pause", "/api/v1/tasks/1", "/"])
def test_no_other_method_is_known(method: str, path: str, served: Served) -> None:
    """What is not allowed is refused, whatever it is called."""
    answer = served.ask(method, path, headers={"X-Overnight": "1", "Origin": f"http://{served.host}"})
    assert answer.status in (400, 405)


@pytest.mark.parametrize("path", ACTS)
def test_nothing_is_done_by_reading(path: str, served: Served) -> None:
    assert served.get(path).status in (404, 405, 422)
    assert _paused(served) is False


def test_commands_cannot_be_submitted(served: Served) -> None:
    document = served.ask("GET", "/openapi.json").json
    posts = {path for path, ways in document["paths"].items() if set(ways) - {"get"}}
    known = ("tasks/{verb}", "edit", "pause", "unpause", "stop", "checkpoint")
    ours = {f"/api/v1/{one}" for one in (*known, "checkpoints/{name}/verify", "checkpoints/{name}/restore")}
    assert posts == ours
    assert served.post("tasks/add", {"command": ["rm"]}).status == 422
    assert served.post("edit", {"ids": [6], "argv": ["rm"]}).status == 422


def test_no_other_site_is_given_leave(served: Served) -> None:
    answer = served.get("pulse", headers={"Origin": "http://evil.example"})
    assert not any(name.startswith("access-control") for name in answer.headers)


# -- what goes out ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/v1/pulse", "/healthz", "/nothing", "/api/v1/tasks/999"])
def test_every_answer_is_sealed(path: str, served: Served) -> None:
    for answer in (served.ask("GET", path), served.ask("GET", path, headers={"Host": "evil"})):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answer.headers


def test_nothing_of_a_home_is_kept_by_a_browser(served: Served) -> None:
    assert served.get("pulse").headers["cache-control"] == "no-store"


def test_no_page_of_ours_leads_elsewhere() -> None:
    pages = Path(web_serving.__file__).with_name("pages")
    for path in pages.iterdir():
        found = set(re.findall(r"https?://[^\s\"'`)]+", path.read_text("utf-8"))) - {"http://www.w3.org/2000/svg"}
        assert not found, path.name


def test_no_page_of_ours_takes_markup() -> None:
    """Names and logs are of strangers; they go in as text, or not at all."""
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc"
    )
    pages = Path(web_serving.__file__).with_name("pages")
    for path in pages.glob("*.js"):
        assert not forbidden.search(path.read_text("utf-8")), path.name
    html = (pages / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|style=", html)


def test_the_pages_of_the_framework_are_off(served: Served) -> None:
    """They load scripts from elsewhere."""
    for path in ("/docs", "/redoc", "/docs/oauth2-redirect"):
        assert served.ask("GET", path).status == 404


# -- paths, heads, bodies ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("/static/../access.py", "/static/%2e%2e/access.py", "/static/..%2faccess.py", "/static//etc/passwd"),
        *("/static/%00", "/static/app.js/", "/static/C:\\x", "/static/", "/..", "/../../etc/passwd"),
    ],
)
def test_no_path_leads_out_of_the_pages(path: str, served: Served) -> None:
    answer = served.ask("GET", path)
    assert answer.status in (404, 307, 400)
    assert b"root:" not in answer.body
    assert b"def " not in answer.body


@pytest.mark.parametrize("task", ["..", "0", "-1", "1%2f..%2f2", "1e3", "9" * 30, "%00", "%EF%BC%91"])
def test_a_log_is_asked_for_by_number(task: str, served: Served) -> None:
    assert served.get(f"tasks/{task}/log").status in (404, 422)


@pytest.mark.parametrize("words", ["a\r\nX-Evil: 1", "a%0d%0aX-Evil:%201", "a\nb"])
def test_no_word_of_a_request_becomes_a_header(words: str, served: Served) -> None:
    coded = words.replace("\r", "%0d").replace("\n", "%0a").replace(" ", "%20")
    for path in (f"/enter?code={coded}", f"/api/v1/tasks?search={coded}", f"/{coded}"):
        assert "x-evil" not in served.ask("GET", path).headers


@pytest.mark.parametrize("length", [MOST_BODY + 1, 10**12])
def test_a_body_that_says_that_it_is_too_large_is_not_read(length: int, served: Served) -> None:
    with served.raw() as line:
        line.sendall(_head(served, f"Content-Length: {length}") + b"{")
        assert line.recv(100).split()[1] == b"413"


def test_a_body_that_does_not_say_so_is_cut_off(served: Served) -> None:
    with served.raw() as line:
        line.sendall(_head(served, "Transfer-Encoding: chunked"))
        piece = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
        with contextlib.suppress(OSError):  # it may have had enough before we have said all
            for _ in range(MOST_BODY // 0x1000 + 2):
                line.sendall(piece)
        assert line.recv(100).split()[1] == b"413"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"ids": ["1; rm"]}', b'{"ids": [1], "argv": ["x"]}', b"[" * 20000],
)
def test_a_body_that_makes_no_sense_does_nothing(body: bytes, served: Served) -> None:
    answer = served.ask("POST", "/api/v1/tasks/cancel", body)
    assert answer.status in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert served.get("pulse").json["counts"]["cancelled"] == 0


def test_a_head_without_an_end_is_cut_off(served: Served) -> None:
    with served.raw() as line:
        with contextlib.suppress(OSError):
            line.sendall(b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * 100_000)
        with contextlib.suppress(ConnectionResetError):
            assert line.recv(100)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 431", b"")


@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nHost:", b"{post}"])
def test_who_sends_in_drops_is_let_go(beginning: bytes, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_serving, "PATIENCE", 0.2)
    with serving(home) as served, served.raw() as line:
        line.sendall(beginning.replace(b"{post}", _head(served, "Content-Length: 100") + b"{"))
        assert line.recv(100) == b""  # closed, and not after the minute that we would wait


def test_a_request_that_is_answered_is_not_let_go(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_serving, "PATIENCE", 0.2)
    with serving(home) as served, served.raw() as line:
        line.sendall(_stream(served))
        heard = b""
        while heard.count(b"event: pulse") < 2:  # the second one comes after two seconds
            piece = line.recv(65536)
            assert piece
            heard += piece


def test_a_stream_that_nobody_reads_any_more_is_let_go(served: Served) -> None:
    """Else 32 pages that were closed would keep everybody out, and the store would be looked at for ever."""
    with served.raw() as line:
        line.sendall(_stream(served))
        assert line.recv(15) == b"HTTP/1.1 200 OK"
        assert served.dashboard._server._hall.feed.streams > 0
    let_go(served)


def let_go(served: Served) -> None:
    """All streams of before are closed here, too."""
    until = time.monotonic() + PATIENCE
    while served.dashboard._server._hall.feed.streams and time.monotonic() < until:
        served.get("pulse")
    assert served.dashboard._server._hall.feed.streams == 0


def test_there_are_so_many_streams_and_no_more(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go(served)  # of another test's page the end may not have been noticed
    monkeypatch.setattr(feed, "MOST_STREAMS", 3)
    with contextlib.ExitStack() as lines:
        for _ in range(3):
            line = lines.enter_context(served.raw())
            line.sendall(_stream(served))
            assert line.recv(15) == b"HTTP/1.1 200 OK"
        refused = lines.enter_context(served.raw())
        refused.sendall(_stream(served))
        head = refused.recv(4096)
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after" in head
    assert feed.MOST_STREAMS == 3


def test_thirty_two_streams_are_allowed() -> None:
    assert feed.MOST_STREAMS == 32


def test_no_socket_is_opened_but_the_one_that_was_asked_for(served: Served) -> None:
    assert served.dashboard._listener.getsockname()[0] == "127.0.0.1"


def _head(served: Served, more: str) -> bytes:
    lines = [
        "POST /api/v1/pause HTTP/1.1",
        f"Host: {served.host}",
        f"Authorization: Bearer {served.token}",
        "X-Overnight: 1",
    ]
    return "\r\n".join([*lines, "Content-Type: application/json", more, "", ""]).encode()


def _stream(served: Served) -> bytes:
    host, token = served.host, served.token
    return f"GET /api/v1/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def _paused(served: Served) -> bool:
    with store_of(served.home) as store:
        return any(queue.paused for queue in store.queues())
