"""Tools for an assistant: over a real server, in a process of their own, asked by the package's own client."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import client
from client import cli, mcp_schema
from client.mcp_tools import Folders, Tools
from client.messages import MOST_BYTES
from seq2drum.errors import InputError, LimitError, OptionError, OutputError
from seq2drum.formats.midi import midi
from seq2drum.music.choices import MOST_TAKES
from seq2drum.music.song_plan import PlannedSection
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options
from seq2drum.show import draw
from tests.conftest import ROOT
from tests.fake_server import real_server

pytestmark = pytest.mark.usefixtures("alone")

SONG = (ROOT / "examples" / "funk.mid").read_bytes()
ROW = PlannedSection(1, 16, "A", 5, "ride", 1.2, 1.0, "rock-hat")._asdict()
Ask = Callable[..., list[Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    songs = tmp_path / "songs"
    (songs / "new").mkdir(parents=True)
    (songs / "funk.mid").write_bytes(SONG)
    (songs / "new" / "riff.mid").write_bytes(SONG)
    (tmp_path / "secret.mid").write_bytes(SONG)
    return songs


@pytest.mark.parametrize(("tool", "asked"), [("make_drums", {"song": "funk.mid"}), ("compose_beat", {})])
def test_more_takes_than_any_player_makes_are_refused_before_a_server_is_asked(folder, tool, asked):
    def nobody() -> Any:
        pytest.fail("a server is asked")

    tools = Tools(Folders([str(folder)]), nobody)
    with pytest.raises(OptionError, match="takes is 1001, wanted 1 to 1000"):
        asyncio.run(tools.call(tool, {**asked, "takes": MOST_TAKES + 1}))


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_path_is_relative_to_a_folder_or_absolute_inside_it(folder):
    there = Folders([str(folder)])
    for path in ("funk.mid", "./funk.mid", "new/riff.mid", str(folder / "funk.mid")):
        assert there.source(path).read_bytes() == SONG


def test_a_folder_may_be_named_by_a_link_and_relative(folder, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    for name in ("link", "songs", str(tmp_path / "link")):
        assert Folders([name]).source("funk.mid") == folder / "funk.mid"
    assert Folders(["link"]).source(str(tmp_path / "link" / "funk.mid")) == folder / "funk.mid"


def test_a_relative_path_is_looked_for_in_every_folder(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "waltz.mid").write_bytes(SONG)
    there = Folders([str(folder), str(other)])
    assert there.source("waltz.mid") == other / "waltz.mid"
    assert there.targets("beat.mid", 1, [".mid"], overwrite=False) == [folder / "beat.mid"]


@pytest.mark.parametrize(
    "path",
    [
        "../secret.mid",
        "new/../../secret.mid",
        "new/../funk.mid",
        "{outside}/secret.mid",
        "/etc/passwd",
        "/",
        "~/song.mid",
        "link.mid",
        "away/secret.mid",
        "dangling.mid",
        "pipe.mid",
        "new",
        "gone.mid",
        "notes.doc",
        "",
        "a\0b.mid",
        "line\nbreak.mid",
        "x" * 5000,
        "/dev/zero",
        "/dev/stdin",
    ],
)
def test_what_is_no_file_of_the_folders_is_refused_in_a_sentence(path, folder, tmp_path):
    (folder / "link.mid").symlink_to(tmp_path / "secret.mid")
    (folder / "away").symlink_to(tmp_path)
    (folder / "dangling.mid").symlink_to(tmp_path / "nothing")
    (folder / "notes.doc").write_text("no song")
    os.mkfifo(folder / "pipe.mid")
    with pytest.raises(InputError) as refusal:
        Folders([str(folder)]).source(path.replace("{outside}", str(tmp_path)))
    assert 20 < len(str(refusal.value)) < 500
    assert str(refusal.value).isprintable()


def test_a_link_that_stays_inside_is_no_way_either(folder):
    (folder / "again.mid").symlink_to(folder / "funk.mid")
    with pytest.raises(InputError, match="over a link"):
        Folders([str(folder)]).source("again.mid")


def test_a_huge_file_is_refused_before_it_is_read(folder):
    with (folder / "huge.mid").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(LimitError, match="larger than"):
        Folders([str(folder)]).source("huge.mid")


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("funk.mid", OutputError, "overwrite=true"),
        ("drums.sh", OutputError, "ends in .mid"),
        (".mid", OutputError, "ends in .mid"),
        ("missing/drums.mid", OutputError, "does not exist"),
        ("../drums.mid", InputError, "'..'"),
        ("{outside}/drums.mid", InputError, "outside the folders"),
        ("dangling.mid", InputError, "over a link"),
        ("folder.mid", OutputError, "folder"),
    ],
)
def test_nothing_is_written_elsewhere_or_over_what_exists(path, error, words, folder, tmp_path):
    (folder / "dangling.mid").symlink_to(tmp_path / "nothing.mid")
    (folder / "folder.mid").mkdir()
    with pytest.raises(error) as refusal:
        Folders([str(folder)]).targets(path.replace("{outside}", str(tmp_path)), 1, [".mid"], overwrite=False)
    assert words in str(refusal.value)


def test_a_device_is_not_written_to_even_if_overwriting_was_asked_for(folder):
    os.mkfifo(folder / "pipe.mid")
    with pytest.raises(OutputError, match="device"):
        Folders([str(folder)]).targets("pipe.mid", 1, [".mid"], overwrite=True)


def test_songs_are_listed_without_links_and_hidden_files(folder, tmp_path):
    (folder / "link.mid").symlink_to(tmp_path / "secret.mid")
    (folder / ".hidden.mid").write_bytes(SONG)
    (folder / "away").symlink_to(tmp_path)
    (folder / "notes.doc").write_text("no song")
    assert Folders([str(folder)]).songs() == ([folder / "funk.mid", folder / "new" / "riff.mid"], True)


def test_a_long_list_of_songs_is_cut_and_says_so(folder):
    for number in range(250):
        (folder / f"{number}.mid").write_bytes(b"")
    songs, whole = Folders([str(folder)]).songs()
    assert (len(songs), whole) == (200, False)


# --- wishes -----------------------------------------------------------------------------------------------------------


def test_wishes_are_read_as_on_the_command_line():
    wanted = mcp_schema.schema("song", *mcp_schema.OPTIONS, *mcp_schema.FORM, "bars")
    given = {"fills": 0.5, "seed": 3, "fill_at": [8, 16], "no_fills_in": ["1-4", "9"], "without": ["crash", "toms"]}
    given |= {"bars": "9:12", "style": "Rock", "click": True, "track": None}
    assert mcp_schema.values(given, wanted) == {
        "fills": 0.5,
        "seed": 3,
        "fill_at": (8, 16),
        "no_fills_in": ((1, 4), (9, 9)),
        "without": ("crash", "toms"),
        "bars": (9, 12),
        "style": "rock",
        "click": True,
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"fils": 0.5}, "did you mean fills?"),
        ({"fills": "much"}, "wanted 0..1"),
        ({"seed": 1.5}, "wanted N"),
        ({"seed": True}, "wanted N"),
        ({"fills": {"a": 1}}, "wanted 0..1"),
        ({"fill_at": [[8]]}, "wanted BARS"),
        ({"click": "yes"}, "wanted a boolean"),
        ({"count_in": True}, "wanted an integer"),
        ({"song": 5}, "wanted a string"),
        ({"bars": "nine"}, "wanted A:B"),
        ({"plan": "A: full"}, "wanted an array"),
        ({"plan": []}, "the plan has no sections"),
        ({"plan": [{"first": 1}]}, "section 1 of the plan has last None, wanted the number of a bar"),
        ({"plan": [ROW | {"level": 9}]}, "has level 9, wanted 0.25 to 4"),
        ({"plan": [ROW | {"tempo": 9}]}, "section 1 of the plan has 'tempo'; wanted first, last"),
    ],
)
def test_what_is_no_wish_is_refused_in_a_sentence(given, words):
    wanted = mcp_schema.schema("song", "bars", "plan", *mcp_schema.OPTIONS, *mcp_schema.FORM)
    with pytest.raises(OptionError) as refusal:
        mcp_schema.values(given, wanted)
    assert words in str(refusal.value)


def test_a_plan_is_that_of_the_sections_and_its_schema_names_all_they_have():
    wanted = mcp_schema.schema("plan")
    assert mcp_schema.values({"plan": [ROW]}, wanted) == {"plan": (PlannedSection(**ROW),)}
    section = wanted["properties"]["plan"]["items"]
    assert list(section["properties"]) == section["required"] == list(PlannedSection._fields)


def test_what_is_missing_is_named():
    with pytest.raises(OptionError, match="song is missing"):
        mcp_schema.values({}, mcp_schema.schema("song", required=("song",)))


def test_levels_and_time_may_be_of_places():
    wanted = mcp_schema.schema("intensity", "time", "daring")
    assert wanted["properties"]["intensity"]["type"] == ["number", "string"]
    assert wanted["properties"]["daring"]["type"] == "number"
    given = {"intensity": "0.5,chorus=0.9", "time": "9-16=ride"}
    read = {"intensity": {"": 0.5, "chorus": 0.9}, "time": {"9-16": "ride"}}
    assert mcp_schema.values(given, wanted) == read
    assert mcp_schema.values({"intensity": 0.5, "time": "hat"}, wanted) == {"intensity": 0.5, "time": "hat"}


def test_a_schema_says_kind_range_and_meaning():
    properties = mcp_schema.schema("fills", "style", "fill_at", "seed")["properties"]
    assert (properties["fills"]["minimum"], properties["fills"]["maximum"]) == (0, 1)
    assert "jazz" in properties["style"]["enum"]
    assert properties["fill_at"]["items"] == {"type": "integer", "minimum": 1}
    assert all(len(value["description"]) > 10 for value in properties.values())


# --- the command ------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_none_is_told_before_anything_is_served(tmp_path, capsys):
    pytest.importorskip("mcp", reason="needs the package mcp: pip install 'seq2drum[mcp]'")
    assert cli.main(["mcp", str(tmp_path / "nowhere")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def test_without_the_package_the_command_says_how_to_install_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.delitem(sys.modules, "client.mcp", raising=False)
    monkeypatch.delattr(client, "mcp", raising=False)
    assert cli.main(["mcp", str(tmp_path)]) == 2
    assert "pip install 'seq2drum[mcp]'" in capsys.readouterr().err


# --- an assistant -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("mcp", reason="needs the package mcp: pip install 'seq2drum[mcp]'")
    with real_server(tmp_path_factory.mktemp("server")) as where:
        yield where


@pytest.fixture
def ask(real: str, folder: Path, tmp_path: Path) -> Ask:
    """Asks the tools, one call after the other, in a process that ends when all are answered."""

    def ask(*calls: tuple[str, dict[str, Any]], server: str = real) -> list[Any]:
        return asyncio.run(asked(server, folder, calls))

    return ask


async def asked(server: str, folder: Path, calls: Any) -> list[Any]:
    from mcp import Client, StdioServerParameters, stdio_client

    words = ["-m", "client", "mcp", str(folder), "--server", server, "--timeout", "60"]
    with (folder.parent / "said").open("w+") as said:
        program = StdioServerParameters(command=sys.executable, args=words, cwd=ROOT)
        async with asyncio.timeout(180), Client(stdio_client(program, errlog=said)) as client:
            answers: list[Any] = [await client.call_tool(name, given) for name, given in calls]
            answers.append(await client.list_tools())
        assert (folder.parent / "said").read_text() == ""
    return answers


@pytest.mark.slow
def test_an_assistant_that_dies_in_a_call_has_hung_up_and_leaves_no_traceback(folder):
    line = [sys.executable, "-m", "client", "mcp", str(folder), "--server", "127.0.0.1:1"]
    about = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    asked: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": about},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "look_at_song", "arguments": {"song": "funk.mid"}}},
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT) as served:
        served.stdin.write("".join(json.dumps({"jsonrpc": "2.0", **one}) + "\n" for one in asked[:1]).encode())
        served.stdin.flush()
        assert b"serverInfo" in served.stdout.readline()
        served.stdout.close()
        served.stdin.write("".join(json.dumps({"jsonrpc": "2.0", **one}) + "\n" for one in asked[1:]).encode())
        served.stdin.close()
        assert (served.stderr.read(), served.wait(60)) == (b"", 0)


def words(answer: Any) -> str:
    return "\n".join(part.text for part in answer.content if part.type == "text")


@pytest.mark.slow
def test_an_assistant_looks_at_a_song_and_makes_the_drums_that_are_made_here(ask, folder):
    wishes = {"song": "funk.mid", "style": "rock", "seed": 5, "with_guitar": True}
    songs, seen, made, again, tools = ask(
        ("list_songs", {}),
        ("look_at_song", {"song": "funk.mid"}),
        ("make_drums", wishes),
        ("make_drums", wishes),
    )
    assert str(folder / "new" / "riff.mid") in songs.structured_content["songs"]
    assert seen.structured_content["guitar"] == [1]
    assert "bars" in words(seen)
    here = Drummer.load().accompany(SONG, Options(style="rock", seed=5))
    assert (folder / "funk.drums.mid").read_bytes() == here.to_bytes(with_guitar=True)
    assert not made.is_error
    (take,) = made.structured_content["takes"]
    assert (take["output"], take["seed"]) == (str(folder / "funk.drums.mid"), 5)
    assert again.is_error
    assert "overwrite=true" in words(again)
    names = {tool.name for tool in tools.tools}
    assert names >= {
        "list_songs",
        "list_choices",
        "look_at_song",
        "make_drums",
        "redo_bars",
        "explain",
        "draw",
        "compose_beat",
    }
    for tool in tools.tools:
        assert tool.input_schema["additionalProperties"] is False
        assert len(tool.description) > 50
        json.dumps(tool.input_schema)


@pytest.mark.slow
def test_an_assistant_changes_the_plan_of_a_take_and_draws_it(ask, folder):
    take = Drummer.load().accompany(SONG, Options(seed=5))
    changed = [row._replace(level=1.4) for row in take.plan]
    rows = [row._asdict() for row in changed]
    made, built, told, drawn, _ = ask(
        ("make_drums", {"song": "funk.mid", "seed": 5}),
        ("make_drums", {"song": "funk.mid", "seed": 5, "plan": rows, "output": "built.mid"}),
        ("explain", {"song": "funk.mid", "seed": 5, "plan": rows}),
        ("draw", {"song": "funk.mid", "drums": "built.mid", "plan": rows}),
    )
    plan = made.structured_content["takes"][0]["plan"]
    assert plan == [row._asdict() for row in take.plan]
    assert f"plan: {json.dumps(plan)}" in words(made)
    here = Drummer.load().accompany(SONG, Options(seed=5), plan=tuple(changed))
    assert (folder / "built.mid").read_bytes() == here.to_bytes() != take.to_bytes()
    assert built.structured_content["takes"][0]["plan"] == [row._asdict() for row in here.plan]
    assert "1.40 times the song's hits" in words(told)
    (picture,) = [part for part in drawn.content if part.type == "image"]
    wanted = draw.picture(here.duet, "png", title="drums", plan=changed)
    assert base64.b64decode(picture.data) == wanted != draw.picture(here.duet, "png", title="drums")


@pytest.mark.slow
def test_an_assistant_plays_bars_anew_and_keeps_the_rest(ask, folder):
    made, anew, also, _ = ask(
        ("make_drums", {"song": "funk.mid", "with_guitar": True, "output": "whole.mid"}),
        ("redo_bars", {"song": "whole.mid", "bars": "5:6", "seed": 9, "output": "other.mid"}),
        ("redo_bars", {"song": "funk.mid", "drums": "whole.mid", "bars": "5:6", "seed": 9, "output": "same.mid"}),
    )
    assert not any(answer.is_error for answer in (made, anew, also)), words(anew) + words(also)
    assert (folder / "same.mid").read_bytes() == (folder / "other.mid").read_bytes()

    def bars(path: Path) -> list[list[Any]]:
        song = midi.read(path)
        notes = [note for part in song.parts if part.is_drums for note in part]
        return [[note for note in notes if bar.start <= note.onset < bar.end] for bar in song.bars()]

    before, after = bars(folder / "whole.mid"), bars(folder / "other.mid")
    changed = [number for number, (one, other) in enumerate(zip(before, after, strict=True), 1) if one != other]
    assert set(changed) <= {4, 5, 6}  # a hit on the downbeat may come a little before the barline
    assert changed


@pytest.mark.slow
def test_an_assistant_explains_and_composes_and_learns_what_there_is(ask, folder):
    told, beat, choices, offered, both, *_ = ask(
        ("explain", {"song": "funk.mid", "seed": 1}),
        ("compose_beat", {"genre": "funk:2,jazz:1", "bpm": 96, "bars": 4, "output": "new/beat.mid"}),
        ("list_choices", {}),
        ("list_choices", {"song": "funk.mid"}),
        ("compose_beat", {"genre": "rock", "guitar": "funk.mid"}),
    )
    assert "bars 1-" in words(told)
    assert told.structured_content["takes"][0]["explain"]
    assert sorted(path.name for path in folder.iterdir()) == ["funk.mid", "new", "rock-115.drums.mid", "rock-115.mid"]
    assert len(midi.read(folder / "new" / "beat.mid").bars()) == 4
    assert beat.structured_content["beats"][0]["bars"] == 4
    assert len(choices.structured_content["grooves"]) > 20
    assert len(offered.structured_content["grooves"]) == 10
    assert both.structured_content["beats"][0]["also"] == [str(folder / "rock-115.drums.mid")]


@pytest.mark.slow
def test_an_assistant_is_shown_a_picture(ask, folder):
    _, seen, kept, again, *_ = ask(
        ("make_drums", {"song": "funk.mid"}),
        ("draw", {"song": "funk.mid", "drums": "funk.drums.mid"}),
        ("draw", {"song": "funk.mid", "drums": "funk.drums.mid", "output": "funk.png"}),
        ("draw", {"song": "funk.mid", "drums": "funk.drums.mid", "output": "funk.png"}),
    )
    (picture,) = [part for part in seen.content if part.type == "image"]
    assert base64.b64decode(picture.data).startswith(b"\x89PNG")
    assert (folder / "funk.png").read_bytes() == base64.b64decode(picture.data)
    assert kept.structured_content["output"] == [str(folder / "funk.png")]
    assert again.is_error


@pytest.mark.slow
def test_every_refusal_is_a_sentence_and_the_tools_go_on(ask, folder, tmp_path):
    (folder / "link.mid").symlink_to(tmp_path / "secret.mid")
    (folder / "text.mid").write_text("no music")
    refused = [
        ("look_at_song", {"song": "../secret.mid"}),
        ("look_at_song", {"song": "link.mid"}),
        ("look_at_song", {"song": "/dev/zero"}),
        ("look_at_song", {"song": "text.mid"}),
        ("look_at_song", {"file": "funk.mid"}),
        ("make_drums", {"song": "funk.mid", "groove": "../secret.mid:1-2"}),
        ("make_drums", {"song": "funk.mid", "groove": f"A={tmp_path}/secret.mid"}),
        ("make_drums", {"song": "funk.mid", "like": str(tmp_path / "secret.mid")}),
        ("make_drums", {"song": "funk.mid", "output": "funk.mid", "overwrite": True}),
        ("make_drums", {"song": "funk.mid", "output": str(tmp_path / "out.mid")}),
        ("make_drums", {"song": "funk.mid", "style": "polka"}),
        ("make_drums", {"song": "funk.mid", "fills": 7}),
        ("make_drums", {"song": "funk.mid", "takes": 100000}),
        ("redo_bars", {"song": "funk.mid", "bars": "900:901"}),
        ("redo_bars", {"song": "funk.mid", "bars": "1:2", "drums": "../secret.mid"}),
        ("draw", {"song": "funk.mid", "drums": "link.mid"}),
        ("draw", {"song": "funk.mid", "drums": "funk.mid", "output": "picture.exe"}),
        ("compose_beat", {"genre": "polka"}),
        ("compose_beat", {"takes": 2, "guitar": "funk.mid"}),
        ("no_such_tool", {}),
    ]
    *answers, seen, _ = ask(*refused, ("look_at_song", {"song": "funk.mid"}))
    for call, answer in zip(refused, answers, strict=True):
        assert answer.is_error, call
        assert 20 < len(words(answer)) < 600 and "\n" not in words(answer), call
    assert not seen.is_error
    assert sorted(path.name for path in folder.iterdir()) == ["funk.mid", "link.mid", "new", "text.mid"]
    assert (folder / "funk.mid").read_bytes() == SONG


@pytest.mark.slow
def test_a_server_that_is_away_is_told_with_what_to_do(ask):
    (answer, _) = ask(("look_at_song", {"song": "funk.mid"}), server="127.0.0.1:1")
    assert answer.is_error
    assert "python -m server" in words(answer)
