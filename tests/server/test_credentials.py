"""Tokens with names and quotas, names of certificates, and what is read again when it changes."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from client import RemoteDrummer, Unauthenticated
from seq2drum.errors import OptionError
from seq2drum.rpc import accompaniment_pb2 as pb
from server import cli
from server.settings import Settings, Token, read_tokens
from server.statuses import reason_of
from tests.certificates import client, make_certificates
from tests.conftest import ROOT
from tests.servers import Served, process, refused, served, settings, until

ANNA, BERT, CARL = "anna" * 4, "bert" * 5, "carl" * 6
FILE = f"# who calls\nanna {ANNA}\n\nbert {BERT} 2  # a trial\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def bearer(token: str) -> dict[str, Any]:
    return {"metadata": (("authorization", f"Bearer {token}"),)}


def write(path: Path, text: str) -> Path:
    """Write a file as programs do that are careful: the new one is put in the place of the old."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)
    return path


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_file_has_one_token_or_a_line_for_each_with_its_name_and_quota(tmp_path: Path) -> None:
    place = tmp_path / "tokens"
    assert read_tokens(str(write(place, FILE))) == (Token("anna", ANNA), Token("bert", BERT, 2))
    chosen = cli.read_settings({"token_file": str(place)}, {})
    assert chosen.all_tokens == chosen.tokens == read_tokens(str(place)) and not chosen.token
    chosen = cli.read_settings({"token_file": str(write(place, f"{ANNA}\n"))}, {})
    assert chosen.all_tokens == (Token("", ANNA),) and chosen.token == ANNA
    assert ANNA not in repr(chosen)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"anna {ANNA}\n{BERT}", "line 2 of .* is not a token; wanted NAME TOKEN"),
        (f"anna {ANNA} many", "line 1 of .* is not a token"),
        (f"Anna! {ANNA}", "line 1 of .* is not a token"),
        (f"anna {ANNA} 1 2", "line 1 of .* is not a token"),
        ("anna short", "token 'anna' has 5 characters or odd ones, wanted 16 to 512"),
        (f"anna {ANNA}\nanna {BERT}", "'anna' or its name is there twice"),
        (f"anna {ANNA}\nbert {ANNA}", "'bert' or its name is there twice"),
        ("# nobody\n", "is empty"),
    ],
)
def test_a_file_of_tokens_that_makes_no_sense_is_refused_without_quoting_one(
    text: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=words) as error:
        cli.read_settings({"token_file": str(write(tmp_path / "tokens", text))}, {})
    assert "\n" not in str(error.value) and ANNA not in str(error.value) and BERT not in str(error.value)


def test_log_and_figures_tell_the_name_of_a_token_and_never_the_token(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    async def run() -> None:
        place = write(tmp_path / "tokens", FILE)
        async with served(configured(place)) as server:
            for _ in range(2):
                await server.generate(**bearer(ANNA))
            await refused(server.generate(midi=b"", **bearer(BERT)))
            await refused(server.generate(**bearer(CARL)))
            await until(server.over)
            value = server.metrics.value
            assert value("credential_calls_total", credential="anna", status="OK") == 2
            assert value("credential_calls_total", credential="bert", status="INVALID_ARGUMENT") == 1
            assert not value("credential_calls_total", credential="", status="UNAUTHENTICATED")

    with caplog.at_level("INFO", logger="server"):
        asyncio.run(run())
    facts = [getattr(record, "facts", {}) for record in caplog.records]
    calls = [fact.get("credential") for fact in facts if "method" in fact]
    assert calls == ["anna", "anna", "bert", None]
    assert not [fact for fact in facts for secret in (ANNA, BERT, CARL) if secret in str(fact)]


def test_a_token_has_no_more_calls_at_once_than_its_quota_whatever_else_is_free(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(configured(write(tmp_path / "tokens", FILE), playing=8, waiting=8)) as server:
            server.players.go.clear()
            calls = [server.generate(**bearer(BERT)) for _ in range(2)]
            await until(lambda: server.players.inside == 2)
            for _ in range(2):
                status = await refused(server.generate(**bearer(BERT)))
                assert reason_of(status) == "QUOTA_EXCEEDED" and status.code == 8
            calls += [server.generate(**bearer(ANNA)) for _ in range(3)]
            await until(lambda: server.players.inside == 5)
            calls[0].cancel()  # which frees its place
            await until(lambda: server.players.inside == 4)
            calls[0] = server.generate(**bearer(BERT))
            server.players.go.set()
            for call in calls:
                assert (await call).takes

    asyncio.run(run())


def test_a_file_of_tokens_is_read_again_when_it_changes_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        place = write(tmp_path / "tokens", FILE)
        async with served(configured(place)) as server:

            async def are_let_in(*names: str) -> None:
                for token in (ANNA, BERT, CARL):
                    call = server.generate(**bearer(token))
                    if token in names:
                        assert (await call).takes
                    else:
                        assert reason_of(await refused(call)) == "CREDENTIALS_WRONG"

            await are_let_in(ANNA, BERT)
            write(place, f"anna {ANNA}\ncarl {CARL}\n")
            assert server.front.read_credentials()
            await are_let_in(ANNA, CARL)
            assert not server.front.read_credentials()
            for bad in ("", "carl\n", "carl short\n"):
                write(place, bad)
                assert not server.front.read_credentials()
                await are_let_in(ANNA, CARL)
            place.unlink()
            assert not server.front.read_credentials()
            await are_let_in(ANNA, CARL)
            write(place, f"{BERT}\n")
            assert server.front.read_credentials()
            await are_let_in(BERT)

    asyncio.run(run())


@pytest.mark.slow
def test_a_server_takes_a_changed_file_of_tokens_by_itself_and_tells_local_programs(tmp_path: Path) -> None:
    place = write(tmp_path / "tokens", f"{ANNA}\n")
    flags = ("--engines", "1", "--screens", "1", "--port", "0", "--token-file", str(place))
    with process(tmp_path, *flags) as running, RemoteDrummer(f"127.0.0.1:{running.port()}", token=CARL) as drummer:
        running.wait("ready in")
        with pytest.raises(Unauthenticated):
            drummer.drum_maps()
        assert json.loads(running.state.read_text())["token"] == ANNA
        write(place, f"{CARL}\n")
        running.wait("credentials read")
        assert drummer.drum_maps()
        end = time.monotonic() + 60
        while json.loads(running.state.read_text())["token"] != CARL:
            assert time.monotonic() < end
            time.sleep(0.02)


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "reason"),
    [("client", ""), ("somebody, client", ""), ("127.0.0.1", ""), ("server,clien", "CLIENT_NOT_ALLOWED")],
)
def test_of_the_clients_with_certificates_only_those_are_let_in_that_are_named(
    names: str, reason: str, certificates: SimpleNamespace
) -> None:
    async def run() -> None:
        chosen = settings(**certificates.server, client_ca=certificates.path("authority.pem"), client_names=names)
        async with served(chosen, credentials=client(certificates, "client")) as server:
            if reason:
                status = await refused(server.generate())
                assert reason_of(status) == reason and status.code == grpc.StatusCode.PERMISSION_DENIED.value[0]
                assert not server.parsers.asked
                return
            assert (await server.generate()).takes
            await until(server.over)
            name = names.rpartition(" ")[2]
            assert server.metrics.value("credential_calls_total", credential=f"CN={name}", status="OK") == 1

    asyncio.run(run())


def test_names_of_clients_are_not_asked_for_where_no_authority_vouches_for_them() -> None:
    with pytest.raises(OptionError, match="without --client-ca"):
        Settings(client_names="client")


def test_certificates_are_read_again_when_they_change_and_half_a_pair_changes_nothing(
    certificates: SimpleNamespace, tmp_path: Path
) -> None:
    async def run() -> None:
        for name in ("server.pem", "server.key"):
            shutil.copy(certificates.path(name), tmp_path / name)
        chosen = settings(tls_cert=str(tmp_path / "server.pem"), tls_key=str(tmp_path / "server.key"))
        async with served(chosen, credentials=client(certificates)) as server:
            assert (await server.generate()).takes
            assert await speaks(server, certificates.bytes("authority.pem"))
            put(certificates.path("stranger.pem"), tmp_path / "server.pem")
            server.front.read_credentials()  # the key is still the other's
            assert await speaks(server, certificates.bytes("authority.pem"))
            put(certificates.path("stranger.key"), tmp_path / "server.key")
            server.front.read_credentials()
            assert await speaks(server, certificates.bytes("other.pem"))
            assert not await speaks(server, certificates.bytes("authority.pem"))
            assert (await server.generate()).takes  # by the connection that was there before

    asyncio.run(run())


def configured(place: Path, **given: Any) -> Settings:
    """The settings of a small server with a file of tokens."""
    chosen = cli.read_settings({"token_file": str(place)}, {})
    return settings(token=chosen.token, tokens=chosen.tokens, token_file=chosen.token_file, **given)


def put(source: str, target: Path) -> None:
    part = target.with_suffix(".part")
    shutil.copy(source, part)
    part.replace(target)


async def speaks(server: Served, authority: bytes) -> bool:
    """Whether a new connection finds a certificate of that authority."""
    credentials = grpc.ssl_channel_credentials(authority)
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(server.front.address, credentials, options) as channel:
        raw: Any = channel
        ask = raw.unary_unary("/seq2drum.v1.AccompanimentService/GetServerInfo")
        try:
            return bool(pb.GetServerInfoResponse.FromString(await ask(b"", timeout=20)).version)
        except grpc.aio.AioRpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            return False


@pytest.mark.slow
def test_slow_files_of_one_token_do_not_keep_the_songs_of_another_waiting(tmp_path: Path) -> None:
    place = write(tmp_path / "tokens", f"anna {ANNA}\nbert {BERT}\n")
    slow = b"X:1\nM:1/4\nL:1/4\nK:C\n" + (b"[" + b"C" * 50 + b"]|") * 390 + b"\n"
    song = (ROOT / "examples" / "funk.mid").read_bytes()
    flags = ("--engines", "1", "--screens", "2", "--port", "0", "--token-file", str(place))
    with process(tmp_path, *flags) as running, ThreadPoolExecutor() as several:
        address = f"127.0.0.1:{running.port()}"
        running.wait("ready in")
        with RemoteDrummer(address, token=ANNA) as anna, RemoteDrummer(address, token=BERT) as bert:
            read = [several.submit(anna.analyze, slow) for _ in range(4)]
            time.sleep(0.5)  # two of them are being read, if they may
            assert [bert.analyze(song).timeline.bars for _ in range(5)] == [24] * 5
            assert sum(one.done() for one in read) < 2
            assert all(one.result().timeline.bars == 390 for one in read)
