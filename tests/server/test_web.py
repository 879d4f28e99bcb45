"""The entrance for browsers: who is answered, what comes back, and what is refused before it costs anything."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seq2drum.errors import MissingExtraError, NoGuitarError, OptionError
from seq2drum.formats import foreign
from seq2drum.rpc import accompaniment_pb2 as pb
from server import lifecycle
from server.service import MOST_RENDERS
from server.settings import Settings
from tests.certificates import make_certificates
from tests.servers import BARS, MIDI, Served, drums, served, settings, until

pytest.importorskip("uvicorn", reason="the page needs seq2drum[page]")
pytest.importorskip("wsproto", reason="the page needs seq2drum[page]")

from wsproto import ConnectionType, WSConnection, events

from server.web import connections, server
from server.web.connections import Connection
from server.web.server import FOLDER, WebServer
from server.web.transports import METHODS

TOKEN = "correct-horse-battery-staple"
BEARER = {"authorization": f"Bearer {TOKEN}"}


@dataclass
class Reply:
    """What came back: the status, the headers, and the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[tuple[str, Any]]:
        """The events of a stream: (name, value)."""
        found = []
        for event in self.body.decode().strip().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in event.split("\n"))
            found.append((fields.get("event", "message"), json.loads(fields["data"])))
        return found


class Page:
    """A server with its page, and a caller of both."""

    def __init__(self, server: Served, web: WebServer) -> None:
        self.server, self.web = server, web

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.web.port)

    async def raw(self, data: bytes) -> bytes:
        """All that comes back on these bytes until the connection ends."""
        reader, writer = await self.connect()
        writer.write(data)
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    async def get(self, path: str, method: str = "GET", **headers: str) -> Reply:
        return _parsed(await self.raw(self.head(path, method, headers)))

    async def post(self, name: str, line: Any = "", file: bytes = b"", **headers: str) -> Reply:
        body = _line(line) + file
        given = {**BEARER, "content-length": str(len(body)), **headers}
        return _parsed(await self.raw(self.head(f"/api/{name}", "POST", given) + body))

    def head(self, path: str, method: str, headers: dict[str, str]) -> bytes:
        given = {"host": f"127.0.0.1:{self.web.port}", "connection": "close", **headers}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items() if value != "none"]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


def _line(line: Any) -> bytes:
    return (line if isinstance(line, str) else json.dumps(line)).encode() + b"\n"


def _parsed(data: bytes) -> Reply:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    if headers.get("transfer-encoding") == "chunked":
        whole = b""
        while body and (size := int(body[: body.index(b"\r\n")], 16)):
            at = body.index(b"\r\n") + 2
            whole, body = whole + body[at : at + size], body[at + size + 2 :]
        body = whole
    return Reply(int(first.split()[1]), headers, body)


@contextlib.asynccontextmanager
async def page(**given: Any) -> AsyncIterator[Page]:
    """A page with its server."""
    chosen = settings(**{"token": TOKEN, "web_port": 0, **given})
    async with served(chosen) as server:
        web = WebServer(chosen, server.front.service, server.front.guard, "the-page's-own-token")
        web.bind()
        await web.start()
        try:
            yield Page(server, web)
            await until(server.over)
        finally:
            await web.stop()


def against(body: Callable[[Page], Awaitable[None]], **given: Any) -> None:
    """Run a test's body against a page of its own."""

    async def run() -> None:
        async with page(**given) as opened:
            await body(opened)

    asyncio.run(run())


def test_a_page_is_told_what_its_server_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "missing", lambda: {"recording": foreign.GET_NETWORK})

    async def body(opened: Page) -> None:
        told = (await opened.post("GetServerInfo")).told
        assert told["missingReaders"] == [{"kind": "recording", "install": foreign.GET_NETWORK}]
        kinds = {each["kind"]: each["suffixes"] for each in told["readers"]}
        assert list(kinds) == ["midi", "score", "tab", "other_tab", "dawproject"]
        assert kinds["score"] == [".musicxml", ".mxl", ".xml", ".abc", ".krn", ".kern", ".mscz", ".mscx"]

    against(body)


# --- files ------------------------------------------------------------------------------------------------------------


def test_the_page_and_its_files_need_no_token_and_forbid_all_that_is_not_their_own() -> None:
    async def body(opened: Page) -> None:
        index = await opened.get("/")
        assert index.status == 200 and index.body == (FOLDER / "index.html").read_bytes()
        script = await opened.get("/api.js")
        assert script.headers["content-type"].startswith("text/javascript")
        for reply in (index, script, await opened.get("/nothing.js"), await opened.post("GetServerInfo")):
            assert "default-src 'self'" in reply.headers["content-security-policy"]
            assert "unsafe" not in reply.headers["content-security-policy"]
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["referrer-policy"] == "no-referrer" and reply.headers["x-frame-options"] == "deny"
        assert "server" not in index.headers

    against(body)


def test_a_file_that_has_not_changed_is_not_sent_again() -> None:
    async def body(opened: Page) -> None:
        mark = (await opened.get("/api.js")).headers["etag"]
        again = await opened.get("/api.js", if_none_match=mark)
        assert again.status == 304 and not again.body

    against(body)


@pytest.mark.parametrize(
    "path",
    [
        "/../files.py",
        "/..%2ffiles.py",
        "/%2e%2e/files.py",
        "/page/../../files.py",
        "//etc/passwd",
        "/./../server/cli.py",
        "/files.py",
        "/sounds/../../entrance.py",
        "/%00",
        "/api.js/",
        "/" + "a" * 4000,
    ],
)
def test_only_names_of_the_pages_own_files_are_given_out(path: str) -> None:
    async def body(opened: Page) -> None:
        assert (await opened.get(path)).status == 404

    against(body)


# --- calls ------------------------------------------------------------------------------------------------------------


def test_each_method_that_gives_a_menu_is_answered() -> None:
    async def body(opened: Page) -> None:
        for name in ("GetServerInfo", "ListModels", "ListGenerators", "ListGrooves", "ListDrumMaps"):
            reply = await opened.post(name)
            assert reply.status == 200 and reply.told, name
        assert (await opened.post("GetServerInfo")).told["limits"]["maxTakes"] == 8

    against(body)


def test_drums_over_the_page_have_the_bytes_of_grpc() -> None:
    async def body(opened: Page) -> None:
        reply = await opened.post("GenerateDrums", {"config": {"seed": 3, "takes": 2}, "requestId": "mine"}, MIDI)
        over_grpc = await opened.server.generate(
            config=pb.GenerationConfig(seed=3, takes=2), metadata=tuple(BEARER.items())
        )
        assert [base64.b64decode(take["midi"]) for take in reply.told["takes"]] == [t.midi for t in over_grpc.takes]
        assert reply.headers["x-request-id"] == "mine" and reply.headers["cache-control"] == "no-store"
        by_page, by_grpc = opened.server.players.asked
        assert by_page.config == by_grpc.config and by_page.midi == by_grpc.midi == MIDI

    against(body)


def test_a_stream_gives_its_pieces_as_events_and_the_same_bytes() -> None:
    async def body(opened: Page) -> None:
        reply = await opened.post("StreamGenerateDrums", {"config": {"takes": 2}, "sendBarEvents": True}, MIDI)
        assert reply.headers["content-type"] == "text/event-stream"
        pieces = [next(iter(told)) for _, told in reply.events]
        assert pieces[0] == "accepted" and pieces[-1] == "summary" and pieces.count("barEvents") == BARS
        files = [b"", b""]
        for _, told in reply.events:
            if "fileChunk" in told:
                files[told["fileChunk"]["take"]] += base64.b64decode(told["fileChunk"]["data"])
        assert files == [drums(take, opened.server.players.size) for take in range(2)]

    against(body)


def test_a_large_file_arrives_whole_in_pieces_that_the_contract_allows() -> None:
    async def body(opened: Page) -> None:
        file = MIDI + bytes(range(256)) * 1000
        assert (await opened.post("StreamGenerateDrums", {}, file)).status == 200
        assert opened.server.players.asked[0].midi == file

    against(body, max_chunk_bytes=1000)


def test_render_goes_to_who_makes_files_and_comes_back_in_pieces() -> None:
    async def body(opened: Page) -> None:
        hits = {"hits": [{"tick": 480, "piece": "kick", "velocity": 99}]}
        reply = await opened.post("Render", {"hits": hits, "format": "RENDER_FORMAT_WAV", "title": "a/b"}, MIDI)
        (_, first), *rest = reply.events
        assert first["file"]["name"] == "a_b.wav" and first["file"]["mediaType"] == "audio/wav"
        content = b"".join(base64.b64decode(told["chunk"]) for _, told in rest)
        assert content == drums(0, opened.server.parsers.size) and int(first["file"]["size"]) == len(content)
        assert opened.server.parsers.renders[0].hits.hits[0].tick == 480

    against(body)


def test_files_that_are_made_or_not_yet_taken_are_few_at_once() -> None:
    async def body(opened: Page) -> None:
        opened.server.parsers.go.clear()
        given = {"hits": {"hits": [{"piece": "kick", "velocity": 9}]}, "format": "RENDER_FORMAT_WAV"}
        ends = [asyncio.create_task(opened.post("Render", given, MIDI)) for _ in range(MOST_RENDERS - 1)]
        await until(lambda: len(opened.server.parsers.renders) == MOST_RENDERS - 1)
        assert (await opened.post("Render", given, MIDI)).told["reason"] == "QUEUE_FULL"  # a caller never has them all
        opened.server.parsers.go.set()
        assert {reply.status for reply in await asyncio.gather(*ends)} == {200}

    against(body)


def test_a_failure_before_the_reply_is_its_status_and_one_in_mid_stream_an_event() -> None:
    async def body(opened: Page) -> None:
        opened.server.parsers.error = NoGuitarError("no part is a guitar")
        reply = await opened.post("StreamGenerateDrums", {"requestId": "mine"}, MIDI)
        assert reply.status == 400 and reply.told["reason"] == "NO_GUITAR" and reply.told["request_id"] == "mine"
        assert reply.told["message"] == "no part is a guitar"
        opened.server.parsers.error, opened.server.players.error = None, RuntimeError("a secret")
        name, told = (await opened.post("StreamGenerateDrums", {}, MIDI)).events[-1]
        assert name == "error" and told["reason"] == "INTERNAL_ERROR" and "secret" not in told["message"]

    against(body)


@pytest.mark.parametrize(
    ("reason", "status"),
    [("QUEUE_FULL", 429), ("SHUTTING_DOWN", 503), ("UNKNOWN_MODEL", 404), ("DEADLINE_PASSED", 504), ("NOT_READY", 503)],
)
def test_the_status_of_http_follows_that_of_grpc(reason: str, status: int) -> None:
    from server.statuses import Refusal

    async def body(opened: Page) -> None:
        opened.server.parsers.error = Refusal(reason, "for a reason", retry_seconds=1.5)
        reply = await opened.post("AnalyzeGuitar", {}, MIDI)
        assert (reply.status, reply.told["reason"], reply.told["retry_seconds"]) == (status, reason, 1.5)

    against(body)


def test_a_server_that_is_about_to_stop_says_so() -> None:
    async def body(opened: Page) -> None:
        opened.server.front.guard.close()
        assert (await opened.post("ListModels")).told["reason"] == "SHUTTING_DOWN"

    against(body)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not the JSON"),
        ("[]", "not the JSON"),
        ("7", "not the JSON"),
        ('{"config": {"color": "red"}}', "color"),
        ('{"config": {"seed": "many"}}', "seed"),
        ('{"config": {"like": 7}}', "not the JSON"),
        ('{"config": ' * 3000 + "{}" + "}" * 3000, "not the JSON"),
        ("\udcff", "not the JSON"),
    ],
)
def test_what_is_no_request_is_refused_with_what_was_wanted(line: str, words: str) -> None:
    async def body(opened: Page) -> None:
        data = line.encode("utf-8", "surrogateescape") + b"\n" + MIDI
        given = {**BEARER, "content-length": str(len(data))}
        reply = _parsed(await opened.raw(opened.head("/api/GenerateDrums", "POST", given) + data))
        assert reply.status == 400 and reply.told["reason"] == "INVALID_INPUT" and words in reply.told["message"]
        assert not opened.server.parsers.asked

    against(body)


@pytest.mark.parametrize(
    ("method", "file"),
    [("AnalyzeGuitar", b"RIFF....WAVE"), ("StreamGenerateDrums", b"RIFF....WAVE"), ("GenerateDrums", b"MThd")],
)
def test_a_file_that_is_too_large_is_refused_in_a_sentence_that_arrives(method: str, file: bytes) -> None:
    async def body(opened: Page) -> None:
        reply = await opened.post(method, {}, file + bytes(66 << 20))
        assert (reply.status, reply.told["reason"], reply.told["field"]) == (413, "MIDI_TOO_LARGE", "midi")
        assert "wanted at most" in reply.told["message"]

    against(body)


def test_a_method_that_is_none_and_a_file_where_none_is_taken_are_refused() -> None:
    async def body(opened: Page) -> None:
        assert (await opened.post("Delete")).told["reason"] == "UNKNOWN_METHOD"
        assert (await opened.post("StreamCompose")).told["reason"] == "UNKNOWN_METHOD"  # that is a WebSocket
        assert (await opened.get("/api/GetServerInfo", **BEARER)).status == 404
        assert (await opened.post("ListModels", {}, MIDI)).told["reason"] == "INVALID_INPUT"
        assert set(METHODS) == set(opened.server.front.service.methods())

    against(body)


# --- who is answered --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"authorization": "none"}, "CREDENTIALS_MISSING"),
        ({"authorization": "Bearer " + TOKEN[:-1]}, "CREDENTIALS_WRONG"),
        ({"authorization": "Basic " + TOKEN}, "CREDENTIALS_WRONG"),
        ({"authorization": "none", "cookie": f"token={TOKEN}"}, "CREDENTIALS_MISSING"),
    ],
)
def test_a_call_without_the_token_is_refused_before_its_body_is_read(headers: dict[str, Any], reason: str) -> None:
    async def body(opened: Page) -> None:
        reply = await opened.post("GenerateDrums", {}, MIDI, **headers)
        assert reply.status == 401 and reply.told["reason"] == reason and not opened.server.parsers.asked
        # A body that never comes does not hold it up.
        head = opened.head("/api/GenerateDrums", "POST", {**BEARER, **headers, "content-length": "99999999"})
        assert _parsed(await opened.raw(head)).status == 401
        assert (await opened.post(f"GetServerInfo?token={TOKEN}", **headers)).status == 401

    against(body)


def test_a_server_without_a_token_gives_its_page_one_of_its_own() -> None:
    async def body(opened: Page) -> None:
        assert opened.web.address_with_token.endswith("/#token=the-page's-own-token")
        assert (await opened.post("ListModels")).status == 401
        assert (await opened.post("ListModels", authorization="Bearer the-page's-own-token")).status == 200
        assert (await opened.server.stub.ListModels(pb.ListModelsRequest())).models  # gRPC asks for none

    against(body, token="")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "none"},
        {"host": "localhost@evil.example"},
        {"host": "[::1"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ],
)
def test_another_site_is_answered_nothing_even_with_the_token(headers: dict[str, Any]) -> None:
    async def body(opened: Page) -> None:
        for reply in (await opened.post("ListModels", **headers), await opened.get("/", **headers)):
            assert reply.status == 400 if headers.get("host") == "none" else reply.status == 403
            assert b"<html" not in reply.body and b"models" not in reply.body

    against(body)


def test_the_page_itself_is_answered_by_address_and_by_the_names_that_it_was_given() -> None:
    async def body(opened: Page) -> None:
        port = opened.web.port
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "192.168.1.7", "studio.lan:8443"):
            reply = await opened.post("ListModels", host=host, origin=f"http://{host}")
            assert reply.status == 200, host
        own: dict[str, Any] = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
        assert (await opened.post("ListModels", **own)).status == 200
        link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}  # somebody clicked on a link
        assert (await opened.get("/", **link)).status == 200

    against(body, web_names="studio.lan, drums.example")


def test_two_hosts_in_a_request_are_refused() -> None:
    async def body(opened: Page) -> None:
        head = opened.head("/", "GET", {}).replace(b"connection: close", b"Host: evil.example\r\nconnection: close")
        assert _parsed(await opened.raw(head)).status in (400, 403)

    against(body)


def test_the_token_is_in_no_line_of_the_log(log: io.StringIO) -> None:
    async def body(opened: Page) -> None:
        await opened.post("ListModels")
        await opened.post("ListModels", host="evil.example")
        await opened.post(f"Delete?token={TOKEN}", "{")
        await opened.post("ListModels", authorization=f"Bearer {TOKEN}x")
        await opened.get(f"/{TOKEN}")
        await opened.raw(TOKEN.encode() + b" nonsense\r\n\r\n")
        async with socket_of(opened, token=TOKEN + "x"):
            pass

    against(body)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert TOKEN not in log.getvalue() and base64.urlsafe_b64encode(TOKEN.encode()).decode()[:20] not in log.getvalue()
    assert {line["event"] for line in lines} == {"call", "page refused"}


def test_small_pieces_are_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a reply's body waits for the caller to confirm its head, which takes 40 ms."""

    transports: list[asyncio.Transport] = []
    begin = Connection.connection_made

    def note(connection: Connection, transport: asyncio.Transport) -> None:
        transports.append(transport)
        begin(connection, transport)

    monkeypatch.setattr(Connection, "connection_made", note)

    async def body(opened: Page) -> None:
        _, writer = await opened.connect()
        await until(lambda: opened.web.connections)
        line = transports[0].get_extra_info("socket")
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()

    against(body)


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_too_large_is_refused_whatever_is_said_of_its_size() -> None:
    async def body(opened: Page) -> None:
        file = MIDI + bytes(1 << 20)
        for name in ("GenerateDrums", "StreamGenerateDrums", "AnalyzeGuitar", "Compose", "ListGrooves", "Render"):
            reply = await opened.post(name, {}, file)
            assert reply.status == 413 and reply.told["reason"] == "MIDI_TOO_LARGE", name
        chunk = b"%x\r\n" % len(file) + file + b"\r\n"
        head = opened.head("/api/AnalyzeGuitar", "POST", {**BEARER, "transfer-encoding": "chunked"})
        reply = _parsed(await opened.raw(head + b"3\r\n{}\n\r\n" + 2 * chunk + b"0\r\n\r\n"))
        assert reply.told["reason"] == "MIDI_TOO_LARGE"
        assert not opened.server.parsers.asked

    against(body)


def test_a_first_line_without_an_end_is_refused() -> None:
    async def body(opened: Page) -> None:
        reply = await opened.post("GenerateDrums", "{" + " " * 2_000_000)
        assert reply.status == 400 and "first line" in reply.told["message"]

    against(body)


def test_a_recording_may_be_larger_and_few_of_them_arrive_at_once() -> None:
    async def body(opened: Page) -> None:
        recording = b"RIFF\0\0\0\0WAVEfmt " + bytes(1 << 20)
        assert (await opened.post("AnalyzeGuitar", {}, recording)).status == 200
        assert opened.server.parsers.recordings == 1
        assert (await opened.post("AnalyzeGuitar", {}, recording + bytes(1 << 20))).told["reason"] == "MIDI_TOO_LARGE"

    against(body, max_recording_bytes=(3 << 20) // 2)


def test_the_head_of_a_request_is_bounded_in_size_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.05)

    async def body(opened: Page) -> None:
        long = opened.head("/", "GET", {"x-long": "x" * 30 * server.MOST_HEAD_BYTES})
        assert b" 200 " not in await opened.raw(long)
        assert await opened.raw(b"") == b""  # nothing was ever asked
        assert await opened.raw(b"GET / HTTP/1.1\r\nhost: 127") == b""  # the rest never came
        # What is answered without its body does not keep the connection for as long as a byte comes now and then.
        reader, writer = await opened.connect()
        writer.write(opened.head("/", "GET", {"connection": "keep-alive", "content-length": "9999"}))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"x")
                await asyncio.sleep(0.01)
                await reader.read(1 << 16)
        writer.close()

    against(body)


def test_a_body_that_pauses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.web.transports._DRAIN_SECONDS", 0.05)  # for the rest, which does not come

    async def body(opened: Page) -> None:
        head = opened.head("/api/GenerateDrums", "POST", {**BEARER, "content-length": "100"})
        assert _parsed(await opened.raw(head + b"{}\nMThd")).told["reason"] == "UPLOAD_STALLED"

    against(body, first_seconds=0.05, idle_seconds=0.05)


def test_one_connection_too_many_is_cut_off_where_all_others_are_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)

    async def body(opened: Page) -> None:
        opened.server.players.go.clear()
        lines = [await opened.connect() for _ in range(3)]
        data = _line({}) + MIDI
        for name, (_, writer) in zip(["ListModels", "GenerateDrums", "GenerateDrums"], lines, strict=True):
            asked = _line({}) if name == "ListModels" else data
            head = {**BEARER, "content-length": str(len(asked)), "connection": "keep-alive"}
            writer.write(opened.head(f"/api/{name}", "POST", head) + (asked[:-1] if name == "ListModels" else asked))
        await until(lambda: opened.server.front.admission.inside == 2 and len(opened.server.front.guard.inside) == 3)
        assert await opened.raw(opened.head("/", "GET", {})) == b""
        lines[0][1].write(b"\n")  # the first is answered, and then has nothing more to ask
        await lines[0][0].readuntil(b"}]")
        await until(lambda: len(opened.server.front.guard.inside) == 2)
        assert (await opened.get("/")).status == 200
        assert opened.web.connections == 2
        for _, writer in lines:
            writer.close()

    against(body)


def test_three_hundred_connections_that_show_no_token_keep_nobody_from_the_page() -> None:
    async def body(opened: Page) -> None:
        lines = []
        for _ in range(300):
            lines.append(await opened.connect())
            lines[-1][1].write(b"GET / HTTP/1.1\r\n"[: len(lines) % 17])
        assert [(await opened.get("/")).status for _ in range(12)] == [200] * 12
        assert (await opened.post("ListModels")).status == 200
        assert opened.web.connections <= connections.MOST_CONNECTIONS
        for _, writer in lines:
            writer.close()

    against(body)


def test_a_stream_that_nobody_reads_keeps_no_turn_from_other_calls() -> None:
    async def body(opened: Page) -> None:
        opened.server.players.bar_hits = [pb.DrumHit(tick=at, note=36, velocity=90) for at in range(60_000 // BARS)]
        unread = socket.create_connection(("127.0.0.1", opened.web.port))
        data = _line({"sendBarEvents": True}) + MIDI
        head = opened.head("/api/StreamGenerateDrums", "POST", {**BEARER, "content-length": str(len(data))})
        with unread:
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            unread.sendall(head + data)
            await until(lambda: opened.server.players.finished, 30)
            assert (await opened.post("GenerateDrums", {}, MIDI)).status == 200

    against(body, idle_seconds=600.0)


@pytest.mark.parametrize("name", ["GenerateDrums", "StreamGenerateDrums"])
def test_a_caller_who_leaves_ends_the_call(name: str) -> None:
    async def body(opened: Page) -> None:
        opened.server.players.go.clear()
        _, writer = await opened.connect()
        data = _line({}) + MIDI
        writer.write(opened.head(f"/api/{name}", "POST", {**BEARER, "content-length": str(len(data))}) + data)
        await until(lambda: opened.server.players.inside)
        writer.close()
        await until(lambda: opened.server.players.left == 1 and opened.server.over())
        assert opened.server.metrics.value("cancelled_total") == 1

    against(body)


def test_a_caller_who_leaves_while_it_sends_leaves_nothing_behind() -> None:
    async def body(opened: Page) -> None:
        _, writer = await opened.connect()
        writer.write(opened.head("/api/GenerateDrums", "POST", {**BEARER, "content-length": "999"}) + b"{}\nMThd")
        await until(lambda: opened.server.front.service.uploads.inside == 1)
        writer.close()
        await until(opened.server.over)

    against(body)


@pytest.mark.slow
def test_a_caller_who_takes_nothing_of_the_reply_is_cut_off() -> None:
    async def body(opened: Page) -> None:
        opened.server.players.size = 30_000_000
        _, writer = await opened.connect()
        data = _line({}) + MIDI
        writer.write(
            opened.head("/api/StreamGenerateDrums", "POST", {**BEARER, "content-length": str(len(data))}) + data
        )
        await until(lambda: opened.server.players.finished)
        await until(lambda: opened.server.over() and not opened.web.connections, 30)
        assert opened.server.metrics.value(
            "calls_total", method="StreamGenerateDrums", status="DEADLINE_EXCEEDED", reason="UPLOAD_STALLED"
        )
        writer.close()

    against(body, idle_seconds=0.1)


# --- beats without an end ---------------------------------------------------------------------------------------------


class Socket:
    """The caller's side of a WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self.wire = WSConnection(ConnectionType.CLIENT)
        self.came: list[events.Event] = []

    def send(self, event: events.Event) -> None:
        self.writer.write(self.wire.send(event))

    async def next(self) -> events.Event:
        while not self.came:
            data = await self._reader.read(1 << 16)
            self.wire.receive_data(data or None)
            self.came += self.wire.events()
        return self.came.pop(0)

    async def told(self) -> Any:
        event = await self.next()
        assert isinstance(event, events.TextMessage), event
        text = str(event.data)
        while not event.message_finished:
            event = await self.next()
            assert isinstance(event, events.TextMessage)
            text += str(event.data)
        return json.loads(text)

    def ask(self, told: Any) -> None:
        self.send(events.TextMessage(told if isinstance(told, str) else json.dumps(told)))


@contextlib.asynccontextmanager
async def socket_of(
    opened: Page,
    token: str = TOKEN,
    origin: str = "",
    protocols: bool = True,
    headers: Sequence[tuple[bytes, bytes]] = (),
    target: str = "/api/StreamCompose",
) -> AsyncIterator[Socket]:
    reader, writer = await opened.connect()
    line = Socket(reader, writer)
    host = f"127.0.0.1:{opened.web.port}"
    shown = "bearer." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    extra = [(b"Origin", (origin or f"http://{host}").encode()), *headers]
    names = ["seq2drum.v1", shown] if protocols else []
    line.send(events.Request(host=host, target=target, subprotocols=names, extra_headers=extra))
    try:
        yield line
    finally:
        writer.close()


def test_bars_of_a_beat_come_over_a_websocket_and_its_wishes_change() -> None:
    async def body(opened: Page) -> None:
        async with socket_of(opened) as line:
            accepted = await line.next()
            assert isinstance(accepted, events.AcceptConnection) and accepted.subprotocol == "seq2drum.v1"
            line.ask({"brief": {"bpm": 100}, "bars": 2})
            assert [(await line.told())["bar"] for _ in range(2)] == [1, 2]
            line.ask({"bars": 1, "brief": {"bpm": 120}})
            assert (await line.told())["bar"] == 3
            line.send(events.CloseConnection(code=1000))
            await until(opened.server.over)
        assert opened.server.metrics.value("calls_total", method="StreamCompose", status="OK", reason="") == 1

    against(body)


@pytest.mark.parametrize(
    ("how", "status"),
    [({"token": TOKEN + "x"}, 401), ({"protocols": False}, 401), ({"origin": "http://evil.example"}, 403)],
)
def test_a_websocket_of_another_site_or_without_the_token_is_refused(how: dict[str, Any], status: int) -> None:
    async def body(opened: Page) -> None:
        async with socket_of(opened, **how) as line:
            refused = await line.next()
            assert isinstance(refused, events.RejectConnection) and refused.status_code == status
        assert not opened.server.players.beats

    against(body)


def test_tabs_are_counted_until_the_last_one_is_closed() -> None:
    async def body(opened: Page) -> None:
        async with socket_of(opened, token=TOKEN + "x", target="/tab") as line:
            assert isinstance(await line.next(), events.RejectConnection)
        closed = asyncio.ensure_future(opened.web.tabs.closed(0.1))
        async with socket_of(opened, target="/tab") as first:
            assert isinstance(await first.next(), events.AcceptConnection)
            async with socket_of(opened, target="/tab") as second:
                assert isinstance(await second.next(), events.AcceptConnection)
                second.send(events.TextMessage("anything"))
            await asyncio.sleep(0.3)
            assert not closed.done()
        await asyncio.wait_for(closed, 60)

    against(body)


def test_a_websocket_may_show_its_token_in_a_header_and_ask_for_no_protocol() -> None:
    async def body(opened: Page) -> None:
        async with socket_of(opened, protocols=False, headers=[(b"Authorization", f"Bearer {TOKEN}".encode())]) as line:
            accepted = await line.next()
            assert isinstance(accepted, events.AcceptConnection) and accepted.subprotocol is None
            line.ask({"bars": 1})
            assert (await line.told())["bar"] == 1

    against(body)


def test_pings_of_who_has_left_or_takes_no_answers_fill_neither_log_nor_memory(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    plain = connections.SocketConnection.handle_ping

    def watched(line: connections.SocketConnection, event: events.Ping) -> None:
        plain(line, event)
        kept.append(line.transport.get_write_buffer_size())

    monkeypatch.setattr(connections.SocketConnection, "handle_ping", watched)
    monkeypatch.setattr(connections, "MOST_UNSENT", 1 << 16)

    async def body(opened: Page) -> None:
        async with socket_of(opened) as line:
            await line.next()
            ping = line.wire.send(events.Ping(b"x" * 125))
            line.writer.transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(200):
                line.writer.write(ping * 200)
                await line.writer.drain()
            line.writer.transport.abort()
        await until(lambda: opened.server.over() and not opened.web.connections)

    against(body)
    assert len(kept) > 1000 and max(kept) < 1 << 18
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("{", "INVALID_INPUT"),
        ({"bars": 2, "more": 1}, "INVALID_INPUT"),
        ({"bars": 0}, "INVALID_OPTION"),
        ({"bars": 5000}, "INVALID_OPTION"),
    ],
)
def test_what_is_no_request_for_bars_ends_the_websocket_with_a_reason(told: Any, reason: str) -> None:
    async def body(opened: Page) -> None:
        async with socket_of(opened) as line:
            await line.next()
            line.ask(told)
            assert (await line.told())["error"]["reason"] == reason
            assert isinstance(await line.next(), events.CloseConnection)

    against(body)


def test_a_message_of_a_websocket_that_is_too_large_ends_it() -> None:
    async def body(opened: Page) -> None:
        async with socket_of(opened) as line:
            await line.next()
            line.ask(" " * (server.MOST_SOCKET_BYTES + 1))
            closed = await line.next()
            assert isinstance(closed, events.CloseConnection) and closed.code == 1009
            await until(opened.server.over)

    against(body)


def test_who_leaves_a_websocket_while_bars_are_made_ends_the_beat() -> None:
    async def body(opened: Page) -> None:
        async with socket_of(opened) as line:
            await line.next()
            opened.server.players.go.clear()
            line.ask({"bars": 4})
            await until(lambda: opened.server.front.admission.playing == 1)
        await until(opened.server.over)

    against(body)


# --- the address ------------------------------------------------------------------------------------------------------


def test_a_second_page_on_one_port_gets_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        async def body(opened: Page) -> None:
            second = WebServer(settings(web_port=port), opened.server.front.service, opened.server.front.guard, TOKEN)
            with pytest.raises(OptionError, match=rf"port {port} of 127.0.0.1 is in use.*--web-port 0"):
                second.bind()

        against(body)


def test_beyond_loopback_the_page_wants_what_grpc_wants() -> None:
    without: dict[str, Any] = {}
    for given in (without, {"token": TOKEN}):
        with pytest.raises(OptionError, match="--insecure twice"):
            Settings(host="0.0.0.0", web_port=0, **given)


@pytest.mark.slow
def test_with_an_authority_the_page_speaks_tls_to_its_clients_alone_and_knows_their_names(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    given = {**certificates.server, "client_ca": certificates.path("authority.pem"), "client_names": "client"}

    def trusted(who: str = "") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=certificates.path("authority.pem"))
        if who:
            context.load_cert_chain(certificates.path(f"{who}.pem"), certificates.path(f"{who}.key"))
        return context

    async def asked(opened: Page, context: ssl.SSLContext) -> Reply | None:
        reader, writer = await asyncio.open_connection("127.0.0.1", opened.web.port, ssl=context)
        try:
            writer.write(opened.head("/api/ListModels", "POST", {**BEARER, "content-length": "3"}) + b"{}\n")
            data = await reader.read()
        except (ssl.SSLError, ConnectionError):
            return None
        finally:
            writer.transport.abort()
        return _parsed(data) if data else None

    async def body(opened: Page) -> None:
        assert opened.web.address.startswith("https://127.0.0.1:")
        assert (await asked(opened, trusted("client"))).status == 200
        assert await asked(opened, trusted()) is None
        assert await opened.raw(opened.head("/", "GET", {})) == b""  # without TLS
        # One of another name is known, and not let in.
        reply = await asked(opened, trusted("server"))
        assert reply and reply.status == 403 and reply.told["reason"] == "CLIENT_NOT_ALLOWED"

    against(body, host="127.0.0.1", **given)


def test_a_missing_package_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("uvicorn", "server.web"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    front: Any = None  # nothing is asked of it before the packages are there
    with pytest.raises(MissingExtraError, match=r"uvicorn is not installed: pip install 'seq2drum\[page\]'"):
        lifecycle.bind_page(settings(web_port=0), front)
    assert lifecycle.bind_page(settings(), front) is None  # without a page none is wanted
