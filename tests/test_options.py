"""Options are told once: what is made of their table is fresh, and the contract says the same."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from client.messages import RemoteOptions, config
from client.options import song_parser
from seq2drum.cli import parser_of
from seq2drum.console.arguments import Parser
from seq2drum.errors import OptionError
from seq2drum.lattice.beats.performance import Timing
from seq2drum.music.brief import BRIEF
from seq2drum.music.choices import Choice
from seq2drum.music.file_options import SESSION, TIMING
from seq2drum.music.options import CHOICES, OPTIONS, PLACE_FIELDS, PLACED, SECTIONS, names_in
from seq2drum.play.options import Options
from seq2drum.rpc import accompaniment_pb2 as pb
from server import convert

ROOT = Path(__file__).parent.parent
CONTRACT = (ROOT / "proto" / "seq2drum" / "v1" / "accompaniment.proto").read_text(encoding="utf-8")
FIELD = re.compile(r"((?:  // [^\n]*\n)+)  (optional |repeated |)(\w+) (\w+) = \d+;")
IN_CONTRACT = {"genre": "genres", "metre": "meter"}  # of a beat
TEXTS = ("track", "sections", "out", "half_time", "instead")  # several values in one text
OTHERS = {"model", "with_guitar", "explain", "plan", "excerpt"}  # of a take, beside the options


def fields_of(message: str) -> dict[str, tuple[str, str, str]]:
    """Of each field of a message its name, with its comment in one line, its label and its type."""
    body = re.search(rf"^message {message} {{\n(.*?)^}}", CONTRACT, re.DOTALL | re.MULTILINE)
    assert body is not None
    found = FIELD.findall(body[1])
    return {
        name: (" ".join(comment.split()).replace("// ", ""), label.strip(), kind)
        for comment, label, kind, name in found
    }


TAKE, BEAT = fields_of("GenerationConfig"), fields_of("Brief")


def test_what_is_made_of_the_table_is_fresh() -> None:
    command = [sys.executable, "proto/options.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_what_is_stale_is_named(tmp_path: Path) -> None:
    scripts = ("proto/fresh.py", "proto/options.py")
    for name in (*scripts, "client/reaper/seq2drum.lua", "docs/guitarists/options.md", "docs/reaper.md"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes().replace(b"the safest groove", b"any groove"))
    (tmp_path / "server" / "web" / "page").mkdir(parents=True)
    command = [sys.executable, "proto/options.py", "--check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    for name in ("options.js", "words_options.js", "seq2drum.lua", "docs/reaper.md", "run python proto/options.py"):
        assert name in done.stderr
    assert "docs/guitarists/options.md" not in done.stderr


def test_the_contract_has_the_options_and_no_other() -> None:
    fields = {one.field or name for name, one in CHOICES.items()} | set(PLACE_FIELDS.values())
    assert TAKE.keys() == fields | SESSION.keys() | {one.field or name for name, one in TIMING.items()} | OTHERS
    assert BEAT.keys() == {IN_CONTRACT.get(name, name) for name in BRIEF} | {"model", "takes"}


@pytest.mark.parametrize(
    ("name", "one"), [*CHOICES.items(), *SESSION.items(), *TIMING.items()], ids=lambda value: str(value)[:20]
)
def test_the_contract_says_of_an_option_what_the_table_says(name: str, one: Choice) -> None:
    comment, label, kind = TAKE[one.field or name]
    wanted = {float: "double", bool: "bool", tuple: "BarRange"}
    wanted |= {int: "uint64" if name == "seed" else "uint32", str: "bytes" if name == "like" else "string"}
    assert kind == ("GrooveChoice" if name == "groove" else wanted[one.kind])
    assert (label == "repeated") == ((one.many and name not in TEXTS) or name == "groove")
    if one.kind is float:
        assert label == "optional"  # or 0 could not be asked for
        low, high = ("above 0.5", ", up to 1") if name == "top_p" else (f"{one.least:g}", f" to {one.most:g}")
        assert f"Range: {low}{high}" in comment
    elif one.kind is int and math.isfinite(one.most) and name != "takes":  # of which a server may make fewer
        assert f"Range: {one.least:g} to {one.most:g}" in comment
    if one.words and len(one.words) < 8 and name != "style":
        assert all(f'"{word}"' in comment for word in one.words)
    if one.default not in (None, (), False, "auto", "gm", 1):
        said = f'"", {one.default}' if one.kind is str else f"{one.default:g}"
        assert f"Default: {said}" in comment
    elif name != "takes":
        assert "Default: " in comment or "; 0 counts as 1" in comment


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in ("like", "groove")])
def test_an_option_goes_to_a_server_and_comes_out_as_it_was(name: str) -> None:
    one = OPTIONS[name]
    value: object = {float: 0.75, int: 3, tuple: (3, 4), str: one.words[0] if one.words else "2"}[one.kind]
    value = {
        "drum_map": "ssd5",
        "sections": "verse 1-4",
        "out": "intro,3-4",
        "half_time": "all",
        "instead": "kick=low tom",
    }.get(name, value)
    if one.many and name not in TEXTS:
        value = (value,)
    assert getattr(convert.options_of(config(RemoteOptions(**{name: value}))), name) == value  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TIMING)
def test_what_is_said_of_beats_goes_to_a_server_and_comes_out_as_it_was(name: str) -> None:
    assert convert.timing_of(config(RemoteOptions())) is None
    value: object = {"metre": "6/8", "follow": True, "beat_scale": 2.0, "bpm": 90.0}.get(name, 0.5)
    sent = config(RemoteOptions(**{name: value}))  # type: ignore[arg-type]
    assert sent.follow == (name == "follow")
    assert convert.timing_of(sent) == Timing.of({name: value})


@pytest.mark.parametrize("name", PLACED)
def test_values_of_places_go_to_a_server_and_come_out_as_they_were(name: str) -> None:
    one, other = OPTIONS[name].words[-2:] or (0.25, 1 / 3)
    for value in ({"chorus": one, "9-16": other}, {"": one, "B": other}, f"{one},B={other}", f" 9-16 = {one} "):
        sent = config(RemoteOptions(**{name: value}))  # type: ignore[arg-type]
        read = convert.options_of(sent)
        assert getattr(read, name) == getattr(Options(**{name: value}), name)  # type: ignore[arg-type]
        assert getattr(convert.options_of(convert.effective(sent, read, "default")), name) == getattr(read, name)
    with pytest.raises(OptionError, match=r"wanted 0 to 1|there is no (piece|percussion)"):
        config(RemoteOptions(**{name: {"chorus": "gong" if OPTIONS[name].words else 1.5}}))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PLACE_FIELDS)
def test_a_client_of_before_sends_no_places_and_a_server_of_before_reads_the_rest(name: str) -> None:
    before = pb.GenerationConfig()
    setattr(before, name, 0.5)
    assert getattr(convert.options_of(before), name) == 0.5
    sent = config(RemoteOptions(**{name: {"": 0.5, "chorus": 0.9}}))  # type: ignore[arg-type]
    assert (getattr(sent, name), getattr(sent, PLACE_FIELDS[name])) == (0.5, "chorus=0.9")
    alone = config(RemoteOptions(**{name: {"chorus": 0.9}}))  # type: ignore[arg-type]
    assert not alone.HasField(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("parser", [parser_of("infer"), song_parser()], ids=["infer", "client"])
def test_a_command_line_has_every_option_with_its_default_and_its_meaning(parser: Parser) -> None:
    known = {action.dest: action for action in parser.actions}
    for name, one in {**CHOICES, **SESSION, **TIMING}.items():
        assert known[name].default == one.default
        if name != "drum_map":
            assert known[name].help == one.help


def test_a_jam_has_the_options_that_are_marked() -> None:
    known = {action.dest for action in parser_of("jam").actions}
    assert {name for name in CHOICES if name in known} == {name for name, one in CHOICES.items() if one.jam}


def test_every_option_has_a_section_and_every_section_an_option() -> None:
    assert sorted(name for section in SECTIONS for name in names_in(section)) == sorted(CHOICES)
    assert all(names_in(section) for section in SECTIONS)
