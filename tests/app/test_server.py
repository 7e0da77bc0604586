"""What a server answers to plain HTTP: the page, and nothing else."""

import base64
import io
import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

import rmae
from rmae.app.server import MOST_SESSIONS, RunningApp, start_app

SECRET = "the content of a file that no visitor gave"


@pytest.fixture(scope="module")
def app(random_model) -> Iterator[RunningApp]:
    """With little room, so that too much is soon sent."""
    with start_app(random_model(), port=0, max_upload_mb=0.1) as running:
        yield running


def ask(
    app: RunningApp, path: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes, dict[str, str]]:
    """One request, its path sent as it stands."""
    where = urlsplit(app.url)
    assert where.hostname is not None
    connection = HTTPConnection(where.hostname, where.port, timeout=20)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": where.netloc, "Content-Length": str(len(body or b"")), **(headers or {})}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    found = response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}
    connection.close()
    return found


def test_the_page_is_there_and_loads_nothing_from_elsewhere(app: RunningApp):
    status, page, headers = ask(app, "/")

    assert status == 200
    assert b"rm-canvas" in page
    assert app.url.startswith("http://127.0.0.1:")
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file={secret}",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file/{secret}",
        "/gradio_api/file=../../../../../../../../etc/passwd",
        "/gradio_api/file=%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/gradio_api/queue/join/../../file={secret}",
        "/gradio_api/heartbeat/../file={secret}",
        "/gradio_api/heartbeat/..%2ffile={secret}",
        "//gradio_api/file={secret}",
        "/./gradio_api/file={secret}",
        "/file={secret}",
        "/assets/../../../../../../../../../../etc/passwd",
        "/assets/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "/assets/{secret}",
        "/static/../../../../../../../../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/static/{secret}",
        "/svelte/../../../../etc/passwd",
        "/gradio_api/file=http://127.0.0.1:{port}/",
        "/gradio_api/proxy=http://127.0.0.1:{port}/",
        "/gradio_api/stream/x/y/z/playlist.m3u8",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/dev/reload",
        "/config",
        "/monitoring",
        "/docs",
    ],
)
def test_no_route_reads_files_or_fetches_addresses(app: RunningApp, path: str, tmp_path: Path):
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)

    status, content, _ = ask(app, path.format(secret=secret, port=urlsplit(app.url).port))

    assert status in (400, 403, 404)
    assert SECRET.encode() not in content
    assert b"root:" not in content


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/upload", "/gradio_api/run/act", "/gradio_api/call/act", "/gradio_api/component_server", "/login"],
)
def test_no_other_route_takes_anything(app: RunningApp, path: str):
    assert ask(app, path, method="POST", body=b"{}", headers={"Content-Type": "application/json"})[0] == 404


def join(app: RunningApp, event_data: object, **changes: object) -> tuple[int, bytes]:
    """Send what the page sends when something is done."""
    request = {
        "data": [None],
        "event_data": event_data,
        "fn_index": 0,
        "trigger_id": 2,
        "session_hash": "abc",
        **changes,
    }
    body = json.dumps(request).encode()
    status, content, _ = ask(
        app, "/gradio_api/queue/join", method="POST", body=body, headers={"Content-Type": "application/json"}
    )
    return status, content


def reply_to(app: RunningApp, event_data: object, session: str) -> dict:
    """The reply that a visitor is sent."""
    assert join(app, event_data, session_hash=session)[0] == 200
    where = urlsplit(app.url)
    assert where.hostname is not None
    connection = HTTPConnection(where.hostname, where.port, timeout=20)
    connection.request("GET", f"/gradio_api/queue/data?session_hash={session}")
    response = connection.getresponse()
    try:
        while line := response.readline():
            message = json.loads(line.removeprefix(b"data: ")) if line.startswith(b"data: ") else {}
            if message.get("msg") == "process_completed":
                if not message["success"]:  # gradio itself refuses what looks like a file of the server
                    return {"message": message["output"]["error"], "picture": None}
                return json.loads(message["output"]["data"][1])
    finally:
        connection.close()
    pytest.fail("the server sent no reply")


@pytest.mark.parametrize("event_data", [None, 5, "x", [], {}, {"number": -1}, {"number": "<script>", "actions": [7]}])
def test_hostile_requests_are_answered_with_a_sentence(app: RunningApp, event_data: object):
    reply = reply_to(app, event_data, "hostilevisitor")

    assert reply["message"] == "the page sent something that is no request; reload it"
    assert reply["picture"] is None


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "open_file", "name": "/etc/passwd", "encoded": ""},
        {"kind": "open_file", "name": "http://127.0.0.1:1/cat.png", "encoded": ""},
        {"kind": "open_file", "path": "/etc/passwd", "name": "x.png"},
        {"kind": "open_file", "url": "http://127.0.0.1:1/cat.png"},
        {"kind": "open_example", "number": "../../../../etc/passwd"},
        {"kind": "open_example", "number": 77},
    ],
)
def test_no_action_opens_files_of_the_server_or_addresses(app: RunningApp, action: dict):
    reply = reply_to(app, {"number": 1, "has_picture": 0, "actions": [action]}, "curiousvisitor")

    assert reply["message"]
    assert reply["picture"] is None


def test_a_body_that_is_too_large_is_not_taken(app: RunningApp):
    status, _ = join(app, {"number": 1, "has_picture": 0, "actions": ["x" * 2_000_000]})
    assert status == 413
    status, _, _ = ask(app, "/theme.css", method="POST", body=b"x" * 100_000)
    assert status == 413


def test_a_body_of_too_many_values_is_not_taken(random_model):
    with start_app(random_model(), port=0) as app:
        assert join(app, [0] * 400_000)[0] == 200
        assert join(app, [[]] * 400_000)[0] in (400, 413)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:9000", 200),  # as through a tunnel
        ("127.0.0.1:1", 200),
        ("[::1]:7860", 200),
        ("elsewhere.example", 403),
        ("elsewhere.example:7860", 403),
        ("127.0.0.1.elsewhere.example", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_a_name_from_elsewhere_is_not_answered(app: RunningApp, host: str, status: int):
    found, content, _ = ask(app, "/", headers={"Host": host})

    assert found == status
    assert (content == b"this app answers its own page alone; open the address that it printed") == (status == 403)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://{}", 200),
        ("https://{}", 200),
        ("http://elsewhere.example", 403),
        ("http://localhost:1", 403),
        ("null", 403),
    ],
)
def test_a_page_from_elsewhere_is_not_answered(app: RunningApp, origin: str, status: int):
    headers = {"Content-Type": "application/json", "Origin": origin.format(urlsplit(app.url).netloc)}
    request = {"data": [None], "event_data": {}, "fn_index": 0, "trigger_id": 2, "session_hash": "pagefromelsewhere"}

    found, _, _ = ask(app, "/gradio_api/queue/join", method="POST", body=json.dumps(request).encode(), headers=headers)

    assert found == status


def test_an_app_for_others_answers_to_any_name_but_to_its_own_page_alone(random_model):
    with start_app(random_model(), host="0.0.0.0", port=0) as app:
        assert ask(app, "/", headers={"Host": "my-machine:7860"})[0] == 200
        named = {"Host": "my-machine:7860", "Origin": "http://elsewhere.example"}
        assert ask(app, "/", headers=named)[0] == 403


def test_a_body_of_unknown_length_is_cut_off(app: RunningApp):
    where = urlsplit(app.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(
            b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        try:
            for _ in range(40):
                connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            answered = connection.recv(100)
        except (BrokenPipeError, ConnectionResetError):
            return  # it has hung up already
    assert answered.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400")) or answered == b""


def test_no_upload_is_left_on_the_disk(app: RunningApp, tmp_path_factory: pytest.TempPathFactory):
    import gradio

    folder = Path(gradio.utils.get_upload_folder())
    before = set(folder.rglob("*")) if folder.exists() else set()
    action = {"kind": "open_file", "name": "x.png", "encoded": "bm8gcGljdHVyZQ=="}

    reply = reply_to(app, {"number": 1, "has_picture": 0, "actions": [action]}, "newvisitor")

    assert reply["message"].startswith("x.png cannot be opened")
    assert (set(folder.rglob("*")) if folder.exists() else set()) == before


def test_the_app_ends_in_order(random_model):
    with start_app(random_model(), port=0) as running:
        assert ask(running, "/robots.txt")[0] == 200
    with pytest.raises(OSError, match="refused"):
        ask(running, "/")


def test_a_port_that_is_taken_is_passed_by_or_named(random_model):
    model = random_model()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ValueError, match=rf"^the app cannot listen at 127.0.0.1, port {port}: Address already in use; "
        ):
            start_app(model, port=port)
    with start_app(model) as first, start_app(model) as second:
        assert first.url != second.url


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"port": 99999}, r"^port is 99999; it must be 0 \(any free one\) to 65535$"),
        ({"host": "no.such.host.invalid"}, r"^the app cannot listen at no.such.host.invalid, ports 7860 to 7899: "),
        ({"max_megapixels": 0}, r"^max_megapixels is 0; it must be above 0 and at most 89, Pillow's limit$"),
        ({"max_megapixels": 1000}, r"^max_megapixels is 1000; "),
        ({"max_upload_mb": -1}, r"^max_upload_mb is -1; it must be above 0$"),
    ],
)
def test_wrong_arguments_are_named(random_model, wrong: dict, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        start_app(random_model(), **wrong)


def test_models_of_other_channels_are_not_compared(random_model):
    with pytest.raises(
        ValueError, match=r"^model takes pictures of 3 channel\(s\) and model of 1; compare models that "
    ):
        start_app(random_model(), against=random_model(channels=1), port=0)


def test_without_gradio_a_sentence_says_what_to_install(random_model, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("rmae.app.server.find_spec", lambda name: None)

    with pytest.raises(
        ValueError, match=r"^the app needs gradio, which is not installed; install it with: pip install "
    ):
        rmae.serve(random_model())


def test_visitors_who_were_gone_longest_make_room_for_new_ones(app: RunningApp):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, format="PNG")
    opening = {"kind": "open_file", "name": "x.png", "encoded": base64.b64encode(file.getvalue()).decode()}
    nothing = {"number": 1, "has_picture": 0, "actions": []}
    assert reply_to(app, {"number": 1, "has_picture": 0, "actions": [opening]}, "earlyvisitor")["picture"]
    assert reply_to(app, nothing, "earlyvisitor")["picture"]

    for number in range(MOST_SESSIONS):
        reply_to(app, nothing, f"visitor{number}")

    assert reply_to(app, nothing, "earlyvisitor")["picture"] is None
