"""Who is let in, what is refused before it is read, and what never leaves the server."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from seq2drum.errors import OptionError
from seq2drum.music.limits import Limits
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc import accompaniment_pb2_grpc as rpc
from server import cli, front, lifecycle
from server import settings as server_settings
from server.credentials import authenticate
from server.settings import Settings, Token, is_local
from server.statuses import Refusal, reason_of
from tests.certificates import client, make_certificates
from tests.servers import MIDI, Served, elsewhere, field, opening, refused, refused_stream, served, settings, until

TOKEN = "correct-horse-battery-staple"
ONE = (Token("", TOKEN),)
CLASSIC = {"tls_cert": "c.pem", "tls_key": "k.pem"}


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


# --- beyond loopback --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "192.168.1.7", "8.8.8.8", "fe80::1"])
@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "TLS"),
        ({"token": TOKEN}, "TLS"),
        (CLASSIC, "credentials"),
        ({"insecure": 1}, "TLS"),
        ({**CLASSIC, "insecure": 1}, "credentials"),
        ({**CLASSIC, "token": TOKEN}, None),
        ({**CLASSIC, "client_ca": "a.pem"}, None),
        ({**CLASSIC, "client_ca": "a.pem", "token": TOKEN}, None),
        ({"insecure": 2}, None),
        ({"token": TOKEN, "insecure": 2}, None),
        ({**CLASSIC, "insecure": 3}, None),
    ],
)
def test_beyond_loopback_it_wants_tls_and_credentials_unless_insecure_is_given_twice(
    host: str, given: dict[str, Any], missing: str | None
) -> None:
    if missing is None:
        assert Settings(host=host, **given).host == host
        return
    with pytest.raises(OptionError, match=f"without .*{missing}.*--insecure twice") as error:
        Settings(host=host, **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "unix:/tmp/s"])
def test_on_loopback_it_wants_nothing(host: str) -> None:
    assert is_local(host) and Settings(host=host)


@pytest.mark.parametrize(
    "host", ["example.org", "", "unix:", "127.0.0.1:50051", "127.1", "0x7f000001", "localhost.", "*"]
)
def test_a_host_is_an_address_and_no_name_that_may_mean_several(host: str) -> None:
    with pytest.raises(OptionError, match="wanted an IP address such as"):
        Settings(host=host)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tls_cert": "c.pem"}, "without --tls-key"),
        ({"tls_key": "k.pem"}, "without --tls-cert"),
        ({"client_ca": "a.pem"}, "without --tls-cert"),
        ({"token": "short"}, "16 to 512"),
        ({"token": "with spaces in it, and long enough"}, "16 to 512"),
        ({"token": "ünïcödé-is-not-for-headers"}, "16 to 512"),
    ],
)
def test_a_certificate_without_its_key_and_an_unsafe_token_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words) as error:
        Settings(**given)
    assert given.get("token", "no token") not in str(error.value)


# --- tokens -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ((), "CREDENTIALS_MISSING"),
        ((("x-token", TOKEN),), "CREDENTIALS_MISSING"),
        ((("authorization", ""),), "CREDENTIALS_WRONG"),
        ((("authorization", TOKEN),), "CREDENTIALS_WRONG"),
        ((("authorization", f"Basic {TOKEN}"),), "CREDENTIALS_WRONG"),
        (bearer(""), "CREDENTIALS_WRONG"),
        (bearer(TOKEN[:-1]), "CREDENTIALS_WRONG"),
        (bearer(TOKEN + "x"), "CREDENTIALS_WRONG"),
        (bearer(TOKEN.upper()), "CREDENTIALS_WRONG"),
        (bearer(TOKEN) * 2, "CREDENTIALS_WRONG"),
        (bearer("é" * 28), "CREDENTIALS_WRONG"),
        (bearer(TOKEN), None),
        ((("authorization", f"bearer {TOKEN}"),), None),
        ((("authorization", f"Bearer {TOKEN}".encode()),), None),
    ],
)
def test_only_calls_with_the_servers_token_are_let_in(metadata: Any, reason: str | None) -> None:
    if reason is None:
        assert authenticate(metadata, ONE) is ONE[0]
        return
    with pytest.raises(Refusal) as refusal:
        authenticate(metadata, ONE)
    assert refusal.value.reason == reason
    assert TOKEN not in str(refusal.value)


def test_without_a_token_every_call_is_let_in() -> None:
    assert authenticate((), ()) is authenticate(None, ()) is None


def test_every_method_but_get_server_info_asks_for_the_token() -> None:
    async def run() -> None:
        async with served(settings(token=TOKEN)) as server:
            info = await server.stub.GetServerInfo(pb.GetServerInfoRequest())
            assert info.auth == pb.AUTH_MODE_TOKEN
            health: Any = health_pb2_grpc.HealthStub(server.channel)
            assert (await health.Check(health_pb2.HealthCheckRequest())).status
            calls: Mapping[str, Any] = {
                "GenerateDrums": lambda **how: server.generate(**how),
                "AnalyzeGuitar": lambda **how: server.stub.AnalyzeGuitar(pb.AnalyzeGuitarRequest(midi=MIDI), **how),
                "Compose": lambda **how: server.stub.Compose(pb.ComposeRequest(), **how),
                "ListGenerators": lambda **how: server.stub.ListGenerators(pb.ListGeneratorsRequest(), **how),
                "ListModels": lambda **how: server.stub.ListModels(pb.ListModelsRequest(), **how),
                "ListGrooves": lambda **how: server.stub.ListGrooves(pb.ListGroovesRequest(), **how),
                "ListDrumMaps": lambda **how: server.stub.ListDrumMaps(pb.ListDrumMapsRequest(), **how),
            }
            methods = {method.name for method in pb.DESCRIPTOR.services_by_name["AccompanimentService"].methods}
            others = {"StreamGenerateDrums", "StreamCompose", "Jam", "Render", "GetServerInfo"}
            teaching = {"TeachDrummer", "RenameDrummer", "RemoveDrummer"}
            assert methods == {*calls, *others, *teaching}
            for name, call in calls.items():
                status = await refused(call())
                assert reason_of(status) == "CREDENTIALS_MISSING", name
                assert status.code == grpc.StatusCode.UNAUTHENTICATED.value[0]
                assert reason_of(await refused(call(metadata=bearer("x" * 20)))) == "CREDENTIALS_WRONG"
                await call(metadata=bearer(TOKEN))
            assert reason_of(await refused_stream(server, [opening(), MIDI])) == "CREDENTIALS_MISSING"
            assert (await server.stream(metadata=bearer(TOKEN)).read()).accepted.request_id
            jam = pb.JamRequest(config=pb.JamConfig())
            assert reason_of(await refused_stream(server, [jam], "Jam")) == "CREDENTIALS_MISSING"
            assert (await server.stub.Jam(iter([jam]), metadata=bearer(TOKEN)).read()).begun.request_id
            more = pb.StreamComposeRequest(bars=1)
            assert reason_of(await refused_stream(server, [more], "StreamCompose")) == "CREDENTIALS_MISSING"
            assert (await server.stub.StreamCompose(iter([more]), metadata=bearer(TOKEN)).read()).bar == 1
            assert reason_of(await refused_stream(server, [], "TeachDrummer")) == "CREDENTIALS_MISSING"
            for changing in (
                server.stub.RenameDrummer(pb.RenameDrummerRequest()),
                server.stub.RemoveDrummer(pb.RemoveDrummerRequest()),
            ):
                assert reason_of(await refused(changing)) == "CREDENTIALS_MISSING"

    asyncio.run(run())


def test_a_call_without_credentials_is_refused_before_a_byte_of_it_is_read() -> None:
    async def run() -> None:
        async with served(settings(token=TOKEN, max_message_bytes=1_200_000)) as server:
            for method in ("GenerateDrums", "StreamGenerateDrums"):
                raw = server.channel.stream_stream(f"/seq2drum.v1.AccompanimentService/{method}")
                call = raw(None)  # headers, and never a message
                assert await call.code() == grpc.StatusCode.UNAUTHENTICATED
            # What is no message at all, and what is too large, is not looked at either.
            for data in (b"\xff\xff\xff", bytes(1_199_000)):
                raw_unary = server.channel.unary_unary("/seq2drum.v1.AccompanimentService/GenerateDrums")
                assert reason_of(await refused(raw_unary(data))) == "CREDENTIALS_MISSING"
            assert not server.parsers.asked
            assert server.front.service.uploads.inside == 0

    asyncio.run(run())


def test_callers_without_a_token_cannot_shut_out_those_who_have_one() -> None:
    async def run() -> None:
        async with served(settings(token=TOKEN, uploads=4)) as server:
            raw = server.channel.stream_stream("/seq2drum.v1.AccompanimentService/GetServerInfo")
            silent = [raw(None) for _ in range(20)]  # headers, and never a message
            for call in silent[:2]:  # they are answered all the same
                assert pb.GetServerInfoResponse.FromString(await call.read()).version
            await until(lambda: server.begun() >= len(silent))
            assert (await server.generate(metadata=bearer(TOKEN))).takes
            await until(server.over)
            for call in silent:
                call.cancel()

    asyncio.run(run())


def test_files_that_do_not_arrive_leave_room_for_callers_from_elsewhere() -> None:
    async def run() -> None:
        async with served(settings(token=TOKEN, uploads=8)) as server, elsewhere(server) as channel:
            raw = server.channel.stream_stream("/seq2drum.v1.AccompanimentService/GenerateDrums")
            silent = [raw(None, metadata=bearer(TOKEN)) for _ in range(12)]  # headers, and never a message
            await until(lambda: server.begun() >= len(silent))
            assert reason_of(await refused(server.generate(metadata=bearer(TOKEN)))) == "QUEUE_FULL"
            other: Any = rpc.AccompanimentServiceStub(channel)
            assert (await other.GenerateDrums(pb.GenerateDrumsRequest(midi=MIDI), metadata=bearer(TOKEN))).takes
            for call in silent:
                call.cancel()
            await until(server.over)

    asyncio.run(run())


def test_a_call_whose_first_message_does_not_come_is_ended_within_seconds() -> None:
    assert settings().first_seconds <= 10 < settings().idle_seconds

    async def run() -> None:
        async with served(settings(first_seconds=0.05)) as server:
            for method in ("GenerateDrums", "StreamGenerateDrums", "StreamCompose"):
                call = server.channel.stream_stream(f"/seq2drum.v1.AccompanimentService/{method}")(None)
                status = await refused(call)
                assert reason_of(status) == "UPLOAD_STALLED" and "within 0.05 s" in status.message, method

    asyncio.run(run())


def test_the_token_is_in_no_log_no_message_and_no_help(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = cli.read_settings({}, {"SEQ2DRUM_TOKEN": TOKEN})
    assert chosen.token == TOKEN and TOKEN not in repr(chosen)
    assert cli.main(["--token", TOKEN]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "--help" in said and TOKEN not in said
    assert cli.main([f"--token={TOKEN}"]) == 2
    assert TOKEN not in capsys.readouterr().err


def test_a_token_can_be_read_from_a_file(tmp_path: Path) -> None:
    place = tmp_path / "token"
    place.write_text(TOKEN + "\n")
    assert cli.read_settings({"token_file": str(place)}, {}).token == TOKEN
    assert cli.read_settings({}, {"SEQ2DRUM_TOKEN_FILE": str(place), "SEQ2DRUM_TOKEN": "x" * 20}).token == TOKEN
    for wrong, words in ((tmp_path / "none", "cannot be read"), (tmp_path, "cannot be read")):
        with pytest.raises(OptionError, match=words):
            cli.read_settings({"token_file": str(wrong)}, {})
    place.write_text("\n")
    with pytest.raises(OptionError, match="empty"):
        cli.read_settings({"token_file": str(place)}, {})


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def code_of(server: Served, **outside: Any) -> str:
    try:
        await server.generate(timeout=10, **outside)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


@pytest.mark.parametrize(
    ("who", "expected"),
    [("client", "OK"), ("stranger", "UNAVAILABLE"), (None, "UNAVAILABLE"), ("plain", "UNAVAILABLE")],
)
def test_with_an_authority_only_its_clients_are_let_in(
    who: str | None, expected: str, certificates: SimpleNamespace
) -> None:
    async def run() -> None:
        chosen = settings(**certificates.server, client_ca=certificates.path("authority.pem"))
        credentials = None if who == "plain" else client(certificates, who)
        async with served(chosen, credentials=credentials) as server:
            assert await code_of(server) == expected
            assert bool(server.begun()) == (expected == "OK")
            if expected == "OK":
                info = await server.stub.GetServerInfo(pb.GetServerInfoRequest())
                assert info.auth == pb.AUTH_MODE_CERTIFICATE

    asyncio.run(run())


def test_with_tls_and_a_token_the_token_travels_encrypted_and_is_asked_for(certificates: SimpleNamespace) -> None:
    async def run() -> None:
        chosen = settings(host="0.0.0.0", **certificates.server, token=TOKEN)
        async with served(chosen, credentials=client(certificates)) as server:
            assert await code_of(server) == "UNAUTHENTICATED"
            assert await code_of(server, metadata=bearer(TOKEN)) == "OK"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("cert", "key"), [("server.pem", "client.key"), ("server.key", "server.pem"), ("none.pem", "server.key")]
)
def test_unusable_certificates_are_refused_at_the_start(cert: str, key: str, certificates: SimpleNamespace) -> None:
    async def run() -> None:
        with pytest.raises(OptionError, match="wanted matching PEM files") as error:
            async with served(settings(tls_cert=certificates.path(cert), tls_key=certificates.path(key))):
                pass
        assert "\n" not in str(error.value)

    asyncio.run(run())


# --- the line ---------------------------------------------------------------------------------------------------------


def test_reflection_is_on_for_loopback_or_where_it_is_set() -> None:
    async def answer(chosen: Settings) -> str:
        async with served(chosen) as server:
            stub: Any = reflection_pb2_grpc.ServerReflectionStub(server.channel)
            call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
            try:
                return str([item.name async for reply in call for item in reply.list_services_response.service])
            except grpc.aio.AioRpcError as error:
                return error.code().name

    assert "seq2drum.v1.AccompanimentService" in asyncio.run(answer(settings()))
    assert asyncio.run(answer(settings(host="0.0.0.0", insecure=2))) == "UNIMPLEMENTED"
    assert "seq2drum.v1" in asyncio.run(answer(settings(host="0.0.0.0", insecure=2, reflection=True)))


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_compressed_message_is_refused_before_it_is_unpacked(compression: grpc.Compression) -> None:
    async def run() -> None:
        async with served() as server:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await server.stub.GenerateDrums(pb.GenerateDrumsRequest(midi=bytes(900_000)), compression=compression)
            assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
            assert not server.parsers.asked
            await server.generate()

    asyncio.run(run())


def test_the_largest_message_is_read_and_one_byte_more_is_not() -> None:
    async def run() -> None:
        async with served(settings(max_message_bytes=200_000, limits=Limits(file_bytes=100_000))) as server:
            beside = pb.GenerateDrumsRequest(midi=bytes(150_000)).ByteSize() - 150_000
            status = await refused(server.generate(midi=bytes(200_000 - beside)))
            assert reason_of(status) == "MIDI_TOO_LARGE" and field(status) == "midi"
            status = await refused(server.generate(midi=bytes(200_001 - beside)))
            assert reason_of(status) == "MESSAGE_TOO_LARGE"
            assert "has 200,001 bytes, wanted at most 200,000" in status.message
            with pytest.raises(grpc.aio.AioRpcError) as error:  # far more is not even taken
                await server.generate(midi=bytes(400_001 - beside))
            assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            await until(server.over)
            await server.generate()

    asyncio.run(run())


def test_headers_beyond_eight_kibibytes_are_refused() -> None:
    async def run() -> None:
        async with served() as server:
            await server.generate(metadata=(("x-much", "x" * 6000),))
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await server.generate(metadata=(("x-much", "x" * 9000),))
            assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            await until(server.over)
            assert len(server.players.asked) == 1

    asyncio.run(run())


def test_one_connection_has_no_more_calls_at_once_than_are_allowed_and_the_others_come_after_them() -> None:
    async def run() -> None:
        async with served(settings(playing=100)) as server:
            server.players.size = 10
            await server.generate()  # now the client knows of the limit
            for _ in range(5):
                server.players.go.clear()
                calls = [server.generate() for _ in range(80)]
                await until(lambda: server.players.inside == 32)
                await asyncio.sleep(0.02)
                assert server.players.inside == 32
                server.players.go.set()
                await asyncio.gather(*calls)

    asyncio.run(run())


@pytest.mark.parametrize("method", ["/seq2drum.v1.AccompanimentService/Shutdown", "/a.b/C", "/x", "/"])
def test_an_unknown_method_is_refused_with_its_reason(method: str) -> None:
    async def run() -> None:
        async with served(settings(token=TOKEN)) as server:
            status = await refused(server.channel.unary_unary(method)(b""))
            assert (status.code, reason_of(status)) == (grpc.StatusCode.UNIMPLEMENTED.value[0], "UNKNOWN_METHOD")
            await until(server.over)
            assert server.metrics.value("calls_started_total", method="unknown") == 1

    asyncio.run(run())


def test_a_call_of_one_message_takes_no_second() -> None:
    async def run() -> None:
        async with served() as server:
            for method, message in (("GenerateDrums", pb.GenerateDrumsRequest(midi=MIDI)), ("ListModels", None)):
                data = message.SerializeToString() if message else b""
                call = server.channel.stream_unary(f"/seq2drum.v1.AccompanimentService/{method}")
                status = await refused(call(iter([data, data])))
                assert reason_of(status) == "WRONG_MESSAGE_ORDER" and "a second message" in status.message
            assert not server.parsers.asked

    asyncio.run(run())


# --- what can be said at all ------------------------------------------------------------------------------------------


def fields(message: Descriptor) -> Iterator[str]:
    for item in message.fields:
        yield item.name
    for nested in message.nested_types:
        yield from fields(nested)


def test_no_request_can_name_a_path_an_address_or_a_class() -> None:
    methods = pb.DESCRIPTOR.services_by_name["AccompanimentService"].methods
    seen: set[str] = set()

    def walk(message: Descriptor) -> None:
        for item in message.fields:
            seen.add(item.name)
            if item.message_type:
                walk(item.message_type)

    for method in methods:
        walk(method.input_type)
    assert "config" in seen
    words = {word for name in seen for word in name.split("_")}
    assert not words & {"path", "file", "dir", "folder", "url", "uri", "address", "class", "module", "command", "host"}


# --- settings ---------------------------------------------------------------------------------------------------------


def test_every_setting_has_a_flag_and_a_variable_that_mean_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("SEQ2DRUM_"):
            monkeypatch.delenv(name)
    chosen: list[Settings] = []
    for name in ("GRPC_VERBOSITY", "GRPC_ENABLE_FORK_SUPPORT"):  # which the command sets if nobody has
        monkeypatch.setenv(name, os.environ.get(name, "0"))

    async def serve(settings: Settings, *_: object) -> int:
        chosen.append(settings)
        return 0

    monkeypatch.setattr(lifecycle, "serve", serve)

    def by_flag(*arguments: str) -> Settings:
        assert cli.main(arguments) == 0
        return chosen.pop()

    samples = {
        "host": "::1",
        "default_model": "default",
        "log_format": "json",
        "state_file": "/x",
        "metrics_port": "9",
        "metrics_host": "::1",
    }
    samples |= {"max_message_bytes": "2000000", "insecure": "1", "metrics_host": "::1"}
    plain = cli.read_settings({}, {})
    for name, setting in server_settings.table().items():
        if name in ("tls_cert", "tls_key", "client_ca", "client_names"):
            continue  # one goes not without the other
        flag, text = server_settings.flag(name), samples.get(name, str(int(max(setting.least, 1)) + 2))
        if name in ("reflection", "hold_until_ready", "insecure"):
            flagged, text = by_flag(flag), "1"
        else:
            flagged = by_flag(flag, text)
        assert flagged == cli.read_settings({}, {server_settings.variable(name): text}), name
        assert flagged != plain or name == "default_model"
        assert str(getattr(flagged, name)) in (text, f"{text}.0", "True"), name
    for limit in dataclasses.fields(Limits):
        flagged = by_flag(f"--limit-{limit.name.replace('_', '-')}", "77")
        assert flagged == cli.read_settings({}, {f"SEQ2DRUM_LIMIT_{limit.name.upper()}": "77"})
        assert getattr(flagged.limits, limit.name) == 77
    tls = by_flag("--tls-cert", "c", "--tls-key", "k", "--client-ca", "a", "--host", "0.0.0.0")
    variables = {
        "SEQ2DRUM_TLS_CERT": "c",
        "SEQ2DRUM_TLS_KEY": "k",
        "SEQ2DRUM_CLIENT_CA": "a",
        "SEQ2DRUM_HOST": "0.0.0.0",
    }
    assert tls == cli.read_settings({}, variables) and (tls.tls_cert, tls.tls_key, tls.client_ca) == ("c", "k", "a")
    assert dict(by_flag("--model", "a=x", "--model", "b=y").models) == {"a": "x", "b": "y"}
    assert by_flag("--insecure", "--insecure", "--host", "0.0.0.0").insecure == 2


def test_a_flag_wins_over_its_variable_and_an_empty_variable_is_none() -> None:
    assert cli.read_settings({"port": "1"}, {"SEQ2DRUM_PORT": "2"}).port == 1
    assert cli.read_settings({}, {"SEQ2DRUM_PORT": ""}).port == 50051


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"port": "65536"}, "--port (SEQ2DRUM_PORT) is 65,536, wanted 0 to 65,535"),
        ({"port": "abc"}, "--port (SEQ2DRUM_PORT) is 'abc', wanted a whole number"),
        ({"port": "1.5"}, "wanted a whole number"),
        ({"queue_seconds": "nan"}, "wanted a number"),
        ({"queue_seconds": "0"}, "--queue-seconds (SEQ2DRUM_QUEUE_SECONDS) is 0.0, wanted"),
        ({"waiting": "-1"}, "is -1, wanted 0 to"),
        ({"reflection": "perhaps"}, "wanted 1 or 0"),
        ({"log_format": "xml"}, "wanted text or json"),
        ({"models": ["here"]}, "wanted ID=DIR"),
        ({"models": ["a=x", "a=y"]}, "names 'a' twice"),
        ({"models": ["A=x"]}, "wanted 1 to 64 of a-z"),
        ({"models": ["../a=x"]}, "wanted 1 to 64 of a-z"),
        ({"default_model": "b"}, "--default-model (SEQ2DRUM_DEFAULT_MODEL) is 'b', wanted one of default"),
        ({"limit_tracks": "0"}, "--limit-tracks (SEQ2DRUM_LIMIT_TRACKS) is 0, wanted more than 0"),
        ({"limit_file_bytes": "2000000"}, "too small for a file of 2,000,000 bytes"),
        ({"limit_slowest": "2000"}, "wanted the slowest below the fastest"),
        ({"idle_exit_seconds": "-1"}, "--idle-exit (SEQ2DRUM_IDLE_EXIT) is -1"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_with_what_is_wanted(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError) as error:
        cli.read_settings(given, {})
    assert words in str(error.value) and "\n" not in str(error.value)


def test_models_come_by_flag_or_by_variable_and_the_first_is_the_default() -> None:
    chosen = cli.read_settings({}, {})
    assert dict(chosen.models) == {"default": "default", "live": "live"} and chosen.default_model == "default"
    chosen = cli.read_settings({"models": ["mine=runs/a=b", "yours=/x"]}, {})
    assert dict(chosen.models) == {"mine": "runs/a=b", "yours": "/x"} and chosen.default_model == "mine"
    both = os.pathsep.join(["a=x", "b=y"])
    assert cli.read_settings({"default_model": "b"}, {"SEQ2DRUM_MODELS": both}).default_model == "b"


def test_the_help_lists_every_flag_with_its_variable_and_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0
    names = [*server_settings.table(), *server_settings.LIMITS, "token_file"]
    for name in names:
        assert f"{server_settings.flag(name)} " in printed and f"[{server_settings.variable(name)}]" in printed, name
    for group in server_settings.GROUPS:
        assert f"{group}:" in printed
    for value in ("50051", "127.0.0.1", "1,310,720", "SEQ2DRUM_TOKEN ", "--model ID=DIR [SEQ2DRUM_MODELS]"):
        assert value in printed or value.startswith("--model")


def test_the_state_file_is_where_the_system_has_such_files() -> None:
    place = cli.default_state_file
    if os.name == "nt":
        assert str(place({"LOCALAPPDATA": "C:\\x"})).endswith("seq2drum\\server.json")
    else:
        assert str(place({"XDG_STATE_HOME": "/x"})) == "/x/seq2drum/server.json"
        assert place({}) == Path.home() / ".local" / "state" / "seq2drum" / "server.json"
    assert cli.read_settings({"state_file": "none"}, {}).state_file == ""


def test_a_damaged_state_file_counts_as_none(tmp_path: Path) -> None:
    for text in ("", "[]", "{", '{"pid": "x"}', "\0"):
        (tmp_path / "server.json").write_text(text)
        assert front.read_state(str(tmp_path / "server.json")) == {}
    assert front.read_state("") == {} and front.read_state(str(tmp_path)) == {}


@pytest.mark.skipif(os.name != "posix", reason="sockets in the file system, and modes of files, are of POSIX")
def test_a_socket_in_the_file_system_is_for_its_owner_and_is_not_taken_from_a_living_server(tmp_path: Path) -> None:
    async def run() -> None:
        place = tmp_path / "s"
        chosen = settings(host=f"unix:{place}")
        async with served(chosen) as server:
            await server.generate()
            mode = place.stat().st_mode
            assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
            with pytest.raises(OptionError, match=r"is in use by another program; stop it, or choose another path"):
                async with served(chosen):
                    pass
            await server.generate()
        async with served(chosen) as again:  # a dead server's socket is no hindrance
            await again.generate()

    asyncio.run(run())
