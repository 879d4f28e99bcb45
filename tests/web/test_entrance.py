"""The page's way to its server, in a real browser: who is let in, what is asked of whom, and that it comes back."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from seq2drum.formats.midi import midi
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options
from tests.conftest import ROOT, corpus_files
from tests.web.browser import Page, ScriptError, waited
from tests.web.conftest import Site, site

pytestmark = pytest.mark.slow

SONG = ROOT / "examples" / "funk.mid"
API = "const api = await import('/api.js'); const file = (bytes) => new Blob([new Uint8Array(bytes)]);"


def bytes_of(path: Path) -> list[int]:
    return list(path.read_bytes())


def refusal(page: Page, script: str, *given: object) -> ScriptError:
    with pytest.raises(ScriptError) as error:
        page.run(API + script, *given)
    return error.value


def test_the_token_goes_out_of_the_address_at_once_and_outlives_a_reload(page, served):
    assert served.token not in page.until("location.href.includes('/') && location.href")
    assert page.run(API + "return (await api.server()).info.version")
    page.driver.refresh()
    assert page.run(API + "return (await api.server()).info.version")
    assert served.token not in page.run("return location.href + document.cookie")


@pytest.mark.parametrize("behind", ["#token=wrong", ""])
def test_a_wrong_or_missing_token_is_refused_in_a_sentence(blank, served, behind):
    blank.open(f"{served.origin}/{behind}")
    refused = refusal(blank, "await api.server();")
    assert refused.reason in ("CREDENTIALS_WRONG", "CREDENTIALS_MISSING")
    assert len(refused.said) > 20


def test_drums_come_bar_by_bar_and_are_those_that_are_made_here(page):
    told = page.run(
        API
        + """
        const bars = []; const summary = await api.play(file(given[0]), { seed: 5, style: 'rock' },
        { onBar: (bar) => bars.push([bar.bar, bar.hits.length]) });
        return { bars, midi: [...summary.takes[0].midi], hits: summary.takes[0].hits?.length };""",
        bytes_of(SONG),
    )
    here = Drummer.load().accompany(SONG, Options(seed=5, style="rock"))
    assert bytes(told["midi"]) == here.to_bytes()
    assert [number for number, _ in told["bars"]] == list(range(1, len(told["bars"]) + 1))
    assert sum(hits for _, hits in told["bars"]) == sum(
        len(part) for part in midi.parse(here.to_bytes()).parts if part.is_drums
    )


def test_a_beat_without_an_end_takes_wishes_while_it_runs(page):
    told = page.run(
        API
        + """
        const beat = api.stream({ genres: [{ name: 'funk' }], bpm: 96 });
        const first = await beat.more(2); const then = await beat.more(2, { bpm: 120 }); beat.close();
        return [...first, ...then].map((bar) => [bar.number, bar.bpm, bar.hits.length > 0]);"""
    )
    assert [number for number, *_ in told] == [1, 2, 3, 4]
    assert [bpm for _, bpm, _ in told] == [96, 96, 120, 120]
    assert any(sounds for *_, sounds in told)


def test_nothing_is_asked_of_anyone_but_the_own_server(page, served):
    page.run(API + "await api.server(); await api.analyze(file(given[0]), {});", bytes_of(SONG))
    asked = page.requests()
    assert any("/api/AnalyzeGuitar" in address for address in asked)
    own = (served.origin, served.origin.replace("http", "ws", 1), "about:", "blob:", "data:")
    assert [address for address in asked if not address.startswith(own)] == []


def test_a_script_from_elsewhere_is_not_run(page):
    """The browser refuses it before it looks for a name."""
    told = page.run(
        "return await new Promise((resolve) => {"
        "document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective));"
        "const script = document.createElement('script'); script.src = 'https://example.org/x.js';"
        "document.head.append(script); });"
    )
    assert told.startswith("script-src") or told == "default-src"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """Another site on this machine."""
    (tmp_path / "index.html").write_text("<!DOCTYPE html><title>elsewhere</title>")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    handler = functools.partial(quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_another_site_reads_nothing_even_with_the_token(blank, served, elsewhere):
    blank.open(elsewhere)
    ask = (
        "const reply = await fetch(given[0], { method: 'POST', body: '{}\\n', mode: given[1],"
        " headers: given[1] === 'cors' ? { authorization: 'Bearer ' + given[2] } : {} });"
        "return [reply.type, reply.status, await reply.text()];"
    )
    with pytest.raises(ScriptError, match="Failed to fetch"):
        blank.run(ask, f"{served.origin}/api/ListModels", "cors", served.token)
    with contextlib.suppress(ScriptError):  # the answer forbids even that it is taken without being read
        assert blank.run(ask, f"{served.origin}/api/ListModels", "no-cors", "") == ["opaque", 0, ""]
    socket = (
        "return await new Promise((resolve) => { const socket = new WebSocket(given[0], ['seq2drum.v1', given[1]]);"
        " socket.onopen = () => resolve('open'); socket.onerror = () => resolve('refused'); });"
    )
    assert blank.run(socket, f"{served.origin.replace('http', 'ws')}/api/StreamCompose", served.token) == "refused"


def test_another_site_cannot_put_the_page_into_a_frame(blank, served, elsewhere):
    blank.open(elsewhere)
    seen = blank.run(
        "const frame = document.createElement('iframe'); frame.src = given[0];"
        "await new Promise((resolve) => { frame.onload = resolve; document.body.append(frame); });"
        "try { return frame.contentDocument === null ? 'foreign' : 'empty'; } catch { return 'foreign'; }",
        served.address,
    )
    assert seen in ("foreign", "empty")
    assert any("frame" in complaint.lower() for complaint in waited(blank.complaints, "a word on the frame"))


def test_a_server_that_stops_is_told_and_found_again(blank, tmp_path):
    with site(tmp_path / "first") as first:
        blank.open(first.address)
        blank.run(API + "window.told = []; api.watchServer((there) => window.told.push(there)); await api.server();")
    refused = refusal(blank, "await api.server();")
    assert refused.reason == "UNREACHABLE"
    blank.until("window.told.at(-1) === false")
    with site(tmp_path / "second", port=int(first.origin.rpartition(":")[2])):
        blank.until("window.told.at(-1) === true")
        assert blank.run(API + "return (await api.server()).info.version")


TORTURE = corpus_files("torture")


@pytest.mark.skipif(not TORTURE, reason="needs the corpus of real music in ../shared/corpus")
def test_odd_and_broken_files_get_an_answer_or_a_sentence(page):
    step = max(len(TORTURE) // 50, 1)
    for path in TORTURE[::step]:
        told = page.run(
            API
            + """
            try { return { bars: (await api.analyze(file(given[0]), {})).timeline.bars }; }
            catch (error) { return { reason: error.reason, message: error.message }; }""",
            bytes_of(path),
        )
        assert "bars" in told or (told["reason"] and len(told["message"]) > 20), path
        assert told.get("reason") not in ("INTERNAL_ERROR", "WORKER_DIED"), path


def test_a_second_server_on_the_same_port_ends_with_a_sentence(served, tmp_path):
    port = int(served.origin.rpartition(":")[2])
    with pytest.raises(ValueError), site(tmp_path / "again", port=port):  # noqa: PT011 - the site has no first line
        pass
    printed = (tmp_path / "again" / "log").read_text()
    assert f"port {port}" in printed and "Traceback" not in printed


def test_the_server_of_these_tests_serves_the_page_itself(served: Site, page: Page):
    assert page.run("return document.title")
