"""The reader of what strangers send: any bytes give an answer of a known kind, each limit holds to the number, and
neither time nor memory runs away.
"""

# The tables of bytes are easier to read in long lines.
# ruff: noqa: E501

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2drum.errors import InputError, LimitError, OptionError
from seq2drum.formats.midi import midi
from seq2drum.music.limits import Limits
from seq2drum.music.notes import Song
from seq2drum.rpc import accompaniment_pb2 as pb
from server import ipc, logs, parser, parser_pool, statuses, workers
from server.ipc import Frame
from server.settings import Settings
from server.statuses import Refusal
from tests import tabs
from tests.conftest import LONG
from tests.mutants import damaged_tabs

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.mid"))
RULES = parser.RequestRules.of(workers.start_frame(Settings()).head)
NOTE = b"\x00\x90\x28\x40\x60\x80\x28\x00"  # a low E for 96 ticks
Worker = Callable[..., subprocess.Popen[bytes]]


def header(form: int = 1, tracks: int = 1, division: int = 96) -> bytes:
    return b"MThd\x00\x00\x00\x06" + b"".join(number.to_bytes(2, "big") for number in (form, tracks, division))


def track(*events: bytes) -> bytes:
    body = b"".join(events) + b"\x00\xff\x2f\x00"
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def number(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))


def tempo(microseconds: int) -> bytes:
    return b"\x00\xff\x51\x03" + microseconds.to_bytes(3, "big")


def metre(numerator: int, power: int) -> bytes:
    return bytes((0, 0xFF, 0x58, 4, numerator, power, 24, 8))


def named(name: bytes) -> bytes:
    return b"\x00\xff\x03" + number(len(name)) + name


def lasting(ticks: int) -> bytes:
    """A note of that length."""
    return b"\x00\x90\x28\x40" + number(ticks) + b"\x80\x28\x00"


def part(channel: int, program: int) -> bytes:
    """A note of a part of its own, as few bytes as can be."""
    return bytes((0, 0xC0 | channel, program, 0, 0x90 | channel, 40, 90, 1, 0x80 | channel, 40, 0))


def look(
    data: bytes, rules: parser.RequestRules = RULES, config: pb.GenerationConfig | None = None
) -> pb.AnalyzeGuitarResponse:
    return parser.analyze(pb.GenerateDrumsRequest(midi=data, config=config).SerializeToString(), rules)


def said(frame: Frame) -> status_pb2.Status:
    return status_pb2.Status.FromString(frame.body)


SCORE = b"""<?xml version="1.0"?><score-partwise version="4.0"><part-list><score-part id="P1">
<part-name>Guitar</part-name></score-part></part-list><part id="P1"><measure number="1"><attributes>
<divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>
<note><pitch><step>E</step><octave>3</octave></pitch><duration>4</duration></note></measure></part></score-partwise>"""


@pytest.mark.slow
def test_a_file_of_another_kind_is_read_here_and_comes_back_as_midi() -> None:
    analysis = look(SCORE)
    assert (analysis.timeline.bars, analysis.tracks[0].notes) == (1, 1)
    again = look(analysis.song)
    assert not again.song
    analysis.ClearField("song")
    assert again == analysis


def test_six_channels_of_a_guitar_synthesiser_in_one_track_are_one_guitar_without_a_question() -> None:
    opened = (64, 59, 55, 50, 45, 40)
    notes = b"".join(bytes((0, 0x90 | channel, pitch, 90)) for channel, pitch in enumerate(opened))
    ended = b"".join(bytes((0 if channel else 96, 0x80 | channel, pitch, 0)) for channel, pitch in enumerate(opened))
    analysis = look(header(tracks=2) + track(named(b"GR-55") + 4 * (notes + ended)) + track(part(8, 33)))
    assert list(analysis.guitar.tracks) == [1, 2, 3, 4, 5, 6]


def test_an_excerpt_is_analysed_as_a_song_of_its_own_and_its_file_is_what_a_player_plays_to() -> None:
    song = midi.parse(EXAMPLES[0].read_bytes())
    config = pb.GenerationConfig(excerpt=pb.BarRange(first_bar=3, last_bar=6))
    analysis = look(EXAMPLES[0].read_bytes(), config=config)
    assert (analysis.timeline.bars, list(analysis.guitar.tracks)) == (4, [1])
    first = song.bars()[2].start
    guitar = song.parts[look(EXAMPLES[0].read_bytes()).guitar.tracks[0] - 1]
    struck = guitar.onset[(first <= guitar.onset) & (guitar.onset < song.bars()[5].end)] - first
    assert midi.parse(analysis.song).parts[0].onset.tolist() == struck.tolist()


def test_an_excerpt_that_is_not_in_the_song_is_refused() -> None:
    for bars, message in (((3, 2), "wanted FIRST:LAST"), ((3, 900), "but the song has")):
        config = pb.GenerationConfig(excerpt=pb.BarRange(first_bar=bars[0], last_bar=bars[1]))
        with pytest.raises((Refusal, OptionError), match=message):
            look(EXAMPLES[0].read_bytes(), config=config)


def test_a_song_is_analysed_on_the_beats_and_in_the_sections_of_its_configuration() -> None:
    data = (ROOT / "examples" / "funk.mid").read_bytes()
    before = look(data)
    config = pb.GenerationConfig(beat_scale=0.5, first_downbeat=1.0, sections="intro 1-1, loud part 2-3")
    request = pb.GenerateDrumsRequest(midi=data, config=config)
    analysis = parser.analyze(request.SerializeToString(), RULES, music=True)
    assert analysis.timeline.tempos[0].bpm == pytest.approx(before.timeline.tempos[0].bpm / 2, rel=1e-5)
    assert [(one.name, one.first_bar) for one in analysis.sections] == [("intro", 1), ("loud part", 2)]
    assert 0 < analysis.bars[0].quarters < 4 and analysis.bars[1].quarters == 4
    assert analysis.fit.strikes > 10 and analysis.fit.is_free  # as its sixteenths are 32nds now
    again = look(analysis.song)
    assert again.timeline == analysis.timeline and not again.song


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"bpm": 3.0}, "bpm", "wanted 30 to 300"),
        ({"meter": "4/5"}, "meter", "wanted one such as 7/8"),
        ({"meter": "4/64"}, "meter", "wanted one such as 4/4"),
        ({"beat_scale": 3.0}, "beat_scale", "wanted 0.5 or 2"),
        ({"first_downbeat": -1.0}, "first_downbeat", "wanted a second from 0 on"),
        ({"first_downbeat": math.nan}, "first_downbeat", "wanted a second from 0 on"),
    ],
)
def test_beats_that_cannot_be_are_refused_by_their_field(values: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(Refusal, match=message) as refused:
        look(EXAMPLES[0].read_bytes(), config=pb.GenerationConfig(**values))
    assert refused.value.field == f"config.{field}"


# --- files in a configuration -----------------------------------------------------------------------------------------


def test_the_files_of_a_configuration_are_read_under_the_same_limits() -> None:
    song = EXAMPLES[0].read_bytes()
    small = dataclasses.replace(RULES, limits=dataclasses.replace(RULES.limits, tracks=5))
    drums = (ROOT / "examples" / "training" / "funk_1.mid").read_bytes()
    large = header(tracks=6) + b"".join(track(NOTE) for _ in range(6))
    assert look(song, small, pb.GenerationConfig(like=drums, groove=[pb.GrooveChoice(midi=drums)])).timeline.bars
    configs = {
        "config.groove": lambda data: pb.GenerationConfig(groove=[pb.GrooveChoice(midi=data)]),
        "config.like": lambda data: pb.GenerationConfig(like=data),
    }
    for field, config in configs.items():
        for data, reason in ((large, "MIDI_OVER_LIMIT"), (b"no music", "INVALID_MIDI")):
            with pytest.raises(Refusal) as refused:
                look(song, small, config(data))
            assert (refused.value.reason, refused.value.field) == (reason, field)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (pb.GenerationConfig(fill_at=[900]), "a fill is requested in bar 900"),
        (pb.GenerationConfig(like=EXAMPLES[0].read_bytes()), "no drums"),
        (pb.GenerationConfig(groove=[pb.GrooveChoice(section="Z", name="one drop")]), "no section 'Z'"),
        (pb.GenerationConfig(prime_bars=2), "no drums to keep"),
    ],
)
def test_what_the_song_does_not_have_is_refused_before_anything_is_played(
    config: pb.GenerationConfig, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        look(EXAMPLES[0].read_bytes(), config=config)


def test_the_plan_of_another_song_is_refused_before_anything_is_played() -> None:
    plan = [pb.PlannedSection(first_bar=1, last_bar=999, name="A")]
    for config, message in (
        (pb.GenerationConfig(plan=plan), "write a plan of this song"),
        (pb.GenerationConfig(plan=[pb.PlannedSection(first_bar=1, last_bar=2, level=5)]), "has level 5.0, wanted"),
    ):
        with pytest.raises(Refusal, match=message) as refused:
            look(EXAMPLES[0].read_bytes(), config=config)
        assert refused.value.field == "config.plan"


def test_a_song_with_drums_of_another_kind_is_made_into_midi() -> None:
    def asked(file: bytes) -> Frame:
        return parser.answer(Frame({"what": "convert", "job": 2}, file), RULES)

    drums = (ROOT / "examples" / "training" / "funk_1.mid").read_bytes()
    assert asked(drums) == Frame({"what": "done", "job": 2}, drums)
    kit = tabs.track([[tabs.beat((1, 36), length=2), tabs.beat((1, 38), length=2)]] * 2, isPercussionTrack=True)
    made = asked(tabs.written(tabs.song(kit)))
    assert [part.is_drums for part in midi.parse(made.body).parts] == [True]
    config = pb.GenerationConfig(like=made.body, groove=[pb.GrooveChoice(midi=made.body)])
    assert look(EXAMPLES[0].read_bytes(), config=config).timeline.bars
    for file, message in ((b"RIFF\0\0\0\0WAVEfmt ", "whose drums cannot be read"), (b"no music", "not a MIDI file")):
        answer = asked(file)
        assert answer.head == {"what": "failed", "job": 2}
        assert statuses.reason_of(said(answer)) not in ("", "INTERNAL_ERROR")
        assert message in said(answer).message


# --- any bytes --------------------------------------------------------------------------------------------------------


def mutants(seeds: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Files that were damaged, each by one to three of the ways in `DAMAGES`."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        data = bytearray(seeds[int(rng.integers(len(seeds)))])
        for _ in range(int(rng.integers(1, 4))):
            damage = DAMAGES[int(rng.integers(len(DAMAGES)))]
            data = damage(data, rng, seeds) or bytearray(b"M")
        yield bytes(data)


def _place(data: bytearray, rng: np.random.Generator) -> int:
    return int(rng.integers(len(data)))


def _flip(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytearray:
    """A few bits of a few bytes."""
    for _ in range(int(rng.integers(1, 9))):
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def _overwrite(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytearray:
    """Bytes by those that mean something: a status, a meta event, the largest, the smallest."""
    for _ in range(int(rng.integers(1, 5))):
        data[_place(data, rng)] = (0x00, 0x7F, 0x80, 0xFF, 0xF0, 0xF7, 0x51, 0x58, 0x2F, 0x03, 0xC0, 0x99)[
            int(rng.integers(12))
        ]
    return data


def _cut(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytearray:
    return data[: _place(data, rng)]


def _drop(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytearray:
    """A stretch is missing."""
    at = _place(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 64)) :]


def _repeat(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytearray:
    """A stretch is there several times."""
    at = _place(data, rng)
    return data[:at] + data[at : at + int(rng.integers(1, 64))] * int(rng.integers(2, 9)) + data[at:]


def _lie(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytearray:
    """A track says another length than it has."""
    at = data.find(b"MTrk", int(rng.integers(len(data))))
    at = data.find(b"MTrk") if at < 0 else at
    if at >= 0:
        length = int.from_bytes(data[at + 4 : at + 8], "big") + int(rng.integers(-9, 10))
        size = (length % (1 << 32), 0, 0xFFFFFFFF, 0x7FFFFFFF, len(data))[int(rng.integers(5))]
        data[at + 4 : at + 8] = size.to_bytes(4, "big")
    return data


def _head(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytearray:
    """A field of the header is that of another file, or any number."""
    at = 4 + 2 * int(rng.integers(5))
    other = seeds[int(rng.integers(len(seeds)))]
    data[at : at + 2] = other[at : at + 2] if rng.random() < 0.3 else rng.bytes(2)
    return data


def _splice(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytearray:
    """The beginning of one file and the end of another."""
    other = seeds[int(rng.integers(len(seeds)))]
    return data[: _place(data, rng)] + other[int(rng.integers(len(other))) :]


def _insert(data: bytearray, rng: np.random.Generator, seeds: list[bytes]) -> bytearray:
    """An event that is rare, or is a lie, or any bytes."""
    at = _place(data, rng)
    return (
        data[:at]
        + (EVENTS[int(rng.integers(len(EVENTS)))] if rng.random() < 0.7 else rng.bytes(int(rng.integers(1, 9))))
        + data[at:]
    )


DAMAGES = (_flip, _flip, _overwrite, _cut, _drop, _repeat, _lie, _head, _splice, _insert)
EVENTS = (
    tempo(0), tempo(1), tempo(0xFFFFFF), metre(0, 2), metre(255, 2), metre(1, 6), metre(4, 255), metre(3, 7),
    b"\x00\xff\x51\x02\x07\xa1", b"\x00\xff\x58\x02\x04\x02", b"\xff\xff\xff\x7f", b"\x81\x81\x81\x81\x00", b"\xff\xff\xff\xff\xff",
    b"\x00\xf0\x05abcde", b"\x00\xf7\x00", b"\x00\xf7\x03abc", b"\x00\xf1\x00", b"\x00\xf8", b"\x00\xff\x2f\x00", b"\x00\xff\x2f\x01\x00",
    b"\x00\xff\x03\x04\xff\xfe\xed\xa0", b"\x00\xff\x03\x88\x00", b"\x00\xff\x59\x02\x7f\x7f", b"\x00\xc9\x7f", b"\x00\xc0\x1b", b"\x00\x90\xff\xff",
    b"\x00\xe0\x00\x40", b"MTrk\x00\x00\x00\x00", b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x60", b"RIFF\x00\x00\x00\x00RMIDdata\x00\x00\x00\x00",
)  # fmt: skip


def short(data: bytes) -> bytes:
    """The first events of each track of a file, so that a mutant is read in a moment."""
    song = midi.parse(data)
    end = 8 * song.ticks_per_quarter
    parts = tuple(
        dataclasses.replace(
            part,
            onset=part.onset[keep],
            duration=part.duration[keep],
            pitch=part.pitch[keep],
            velocity=part.velocity[keep],
        )
        for part in song.parts
        for keep in [part.onset < end]
    )
    return midi.serialise(dataclasses.replace(song, parts=parts, length=end))


@pytest.mark.slow
def test_damaged_files_by_the_ten_thousand_are_answered_each_in_a_known_way() -> None:
    count = 100_000 if LONG else 20_000
    seeds = [short(path.read_bytes()) for path in EXAMPLES]
    good = 0
    for data in mutants(seeds, count, seed=4):
        body = pb.GenerateDrumsRequest(midi=data).SerializeToString()
        try:
            good += parser.analyze(body, RULES).timeline.bars > 0
        except (InputError, Refusal):
            pass
        except Exception as error:
            pytest.fail(f"{type(error).__name__} for {data.hex()}")
    assert 0.1 < good / count < 0.9, f"{good} of {count} are good: the damage is too much, or too little"


@pytest.mark.slow
def test_damaged_tabs_are_answered_each_in_a_known_way() -> None:
    for package in ("guitarpro", "defusedxml"):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install 'seq2drum[guitarpro]'")
    count, good = 20_000 if LONG else 1000, 0
    for number, data in enumerate(damaged_tabs(count, seed=6)):
        body = pb.GenerateDrumsRequest(midi=data).SerializeToString()
        answer = parser.answer(Frame({"what": "analyze", "job": number}, body), RULES)
        if answer.head["what"] == "done":
            good += 1
            song = midi.parse(pb.AnalyzeGuitarResponse.FromString(answer.body).song, limits=RULES.limits)
            assert any(len(part) for part in song.parts)
        else:
            assert statuses.reason_of(said(answer)) not in ("", "INTERNAL_ERROR"), data.hex()
            assert len(said(answer).message) < 700
    assert 0.03 < good / count < 0.5


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", header(), header() + b"MTrk\x00\x00\x00\x40", header(division=1) + track(NOTE)]),
)
def test_any_bytes_are_answered_in_a_known_way(data: bytes, before: bytes) -> None:
    frame = Frame({"what": "analyze", "job": 7}, pb.GenerateDrumsRequest(midi=before + data).SerializeToString())
    answer = parser.answer(frame, RULES)
    assert answer.head["job"] == 7
    if answer.head["what"] == "done":
        assert pb.AnalyzeGuitarResponse.FromString(answer.body).timeline.bars
    else:
        assert statuses.reason_of(said(answer)) not in ("", "INTERNAL_ERROR")


def test_real_music_and_odd_files_are_answered_in_a_known_way(sample: list[Path], torture: list[Path]) -> None:
    good = 0
    for path in [*sample, *torture]:
        body = pb.GenerateDrumsRequest(midi=path.read_bytes()).SerializeToString()
        with contextlib.suppress(InputError, Refusal):
            good += parser.analyze(body, RULES).timeline.bars > 0
    assert good > len(sample) / 2


# --- limits -----------------------------------------------------------------------------------------------------------


PARTS = [part(0, program) for program in range(24, 48)]
LIMITS = [
    # (limit, its value, a file that has just so much, one that has more, how much that is)
    ("file_bytes", 34, header() + track(NOTE), header() + track(NOTE) + b"\x00", "35 bytes"),
    ("tracks", 2, header(tracks=2) + track() + track(NOTE), header(tracks=3) + track() * 2 + track(NOTE), "its header says 3"),
    ("tracks", 1, header() + track(*PARTS[:16]), header() + track(*PARTS[:17]), "17 parts"),
    ("events", 10, header() + track(NOTE * 10), header() + track(NOTE * 10 + b"\x00\xb0\x07\x40"), "11 events"),
    ("tempos", 2, header() + track(tempo(500_000) * 2, NOTE), header() + track(tempo(500_000) * 3, NOTE), "3 tempo events"),
    ("metres", 2, header() + track(metre(4, 2) * 2, NOTE), header() + track(metre(4, 2) * 3, NOTE), "3 metre events"),
    ("quarters", 20, header() + track(lasting(20 * 96)), header() + track(lasting(20 * 96 + 1)), "20.010 quarters"),
    ("seconds", 10, header() + track(lasting(20 * 96)), header() + track(tempo(500_001), lasting(20 * 96)), "10.000 seconds"),
    ("seconds", 10, header() + track(lasting(20 * 96)), header() + track(lasting(20 * 96 + 2)), "10.010 seconds"),
    ("numerator", 7, header() + track(metre(7, 3), NOTE), header() + track(metre(8, 3), NOTE), "is 8/8"),
    ("denominator", 8, header() + track(metre(7, 3), NOTE), header() + track(metre(7, 4), NOTE), "is 7/16"),
    ("slowest", 60, header() + track(tempo(1_000_000), NOTE), header() + track(tempo(1_000_200), NOTE), "is 59.99 BPM"),
    ("fastest", 120, header() + track(tempo(500_000), NOTE), header() + track(tempo(499_900), NOTE), "is 120.02 BPM"),
]  # fmt: skip


@pytest.mark.parametrize(("limit", "value", "under", "over", "message"), LIMITS, ids=[row[0] for row in LIMITS])
def test_a_limit_lets_its_own_value_pass_and_the_next_is_refused(
    limit: str, value: Any, under: bytes, over: bytes, message: str
) -> None:
    rules = dataclasses.replace(RULES, limits=dataclasses.replace(RULES.limits, **{limit: value}))
    assert look(under, rules).timeline.bars
    assert look(over).timeline.bars, "it is this limit that it is beyond"
    with pytest.raises(LimitError, match=re.escape(message)) as refused:
        look(over, rules)
    assert str(value) in str(refused.value), "the message has the limit"


def test_every_limit_is_tried() -> None:
    assert {row[0] for row in LIMITS} == {field.name for field in dataclasses.fields(Limits)}


@pytest.mark.parametrize("most", [1, 20, 2000])
def test_a_song_may_have_so_many_bars_and_no_more(most: int) -> None:
    rules = dataclasses.replace(RULES, max_bars=most)
    one_four = metre(1, 2)
    assert look(header() + track(one_four, lasting(96 * most)), rules).timeline.bars == most
    with pytest.raises(LimitError, match=f"has {most + 1} bars, at most {most} are"):
        look(header() + track(one_four, lasting(96 * most + 1)), rules)


def test_the_largest_values_that_are_allowed_by_default_are_read() -> None:
    limits = RULES.limits
    rules = dataclasses.replace(RULES, max_bars=10_000)
    fast = tempo(300_000)
    ticks = int(limits.quarters)
    assert look(header(division=1) + track(fast, lasting(ticks)), rules).timeline.quarters == ticks
    with pytest.raises(LimitError, match=r"20001\.000 quarters"):
        look(header(division=1) + track(fast, lasting(ticks + 1)), rules)
    wide = track(PARTS[0]) * limits.tracks
    assert len(look(header(tracks=limits.tracks) + wide).tracks) == limits.tracks
    padded = header() + track(NOTE)
    padded += b"junk" + (limits.file_bytes - len(padded) - 8).to_bytes(4, "big")
    padded += bytes(limits.file_bytes - len(padded))
    assert look(padded).timeline.bars == 1
    with pytest.raises(LimitError, match="1048577 bytes; at most 1048576"):
        look(padded + b"\x00")
    volume, more = b"\x00\xb0\x07\x40", b"\x00\x07\x40"
    assert look(header() + track(NOTE, volume, more * (limits.events - 2))).timeline.bars == 1
    with pytest.raises(LimitError, match="100001 events; at most 100000"):
        look(header() + track(NOTE, volume, more * (limits.events - 1)))


# --- small files that are large inside --------------------------------------------------------------------------------


def test_a_long_name_of_thousands_of_parts_takes_no_memory_to_speak_of() -> None:
    parts = b"".join(part(channel, program) for channel in range(16) for program in range(128))
    data = header() + track(named(b"Guitar " * 70_000), parts)
    tracemalloc.start()
    try:
        analysis = look(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(analysis.tracks) == 2048
    assert peak < 64 << 20
    assert analysis.ByteSize() < 1 << 20


def test_a_long_name_is_cut_and_all_else_of_the_file_stays() -> None:
    long, short_ = (midi.parse(header() + track(named(name), NOTE)) for name in (b"G" * 5000, b"G" * 1000))
    assert long == short_
    assert long.parts[0].name == "G" * 1000
    assert midi.parse(header() + track(named("é".encode() * 600), NOTE)).parts[0].name == "é" * 600
    assert midi.parse(header() + track(named(b"\xe9" * 2000), NOTE)).parts[0].name == "é" * 1000


def test_more_parts_than_the_limit_are_refused() -> None:
    one = track(*(part(channel, program) for channel in range(16) for program in range(128)))
    with pytest.raises(LimitError, match="hold 6144 parts by channel and program; at most 4096"):
        look(header(tracks=3) + one * 3)


def test_bars_by_the_hundred_thousand_are_counted_without_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Song, "bars", lambda song: pytest.fail("the bars were made"))
    with pytest.raises(LimitError, match="has 288000 bars, at most 2000"):
        look(header(division=96) + track(metre(1, 6), tempo(400_000), lasting(18_000 * 96)))


def test_the_first_frame_holds_all_limits_that_the_worker_reads() -> None:
    start = workers.start_frame(Settings(limits=Limits(tracks=3), max_bars=5, max_takes=2)).head
    rules = parser.RequestRules.of(json.loads(json.dumps(start)))
    folders = {"default": "default", "live": "live"}
    assert rules == parser.RequestRules(Limits(tracks=3), 5, 2, ("default", "live"), "default", "", folders)


# --- what is asked ----------------------------------------------------------------------------------------------------


SONG = header() + track(NOTE)


def test_a_good_file_is_answered_with_what_is_in_it() -> None:
    guitar = track(named(b"Lead"), b"\x00\xc0\x1b", lasting(8 * 96))
    drums = track(named(b"Kit"), b"\x00\x99\x24\x40\x10\x24\x00")
    analysis = look(header(tracks=3) + track(tempo(400_000), metre(3, 2)) + guitar + drums)
    assert [(each.number, each.name, each.program, each.is_drums, each.notes) for each in analysis.tracks] == [
        (1, "Lead", 27, False, 1),
        (2, "Kit", 0, True, 1),
    ]
    assert (analysis.timeline.bars, analysis.timeline.quarters, analysis.timeline.ticks_per_quarter) == (3, 8, 96)
    assert analysis.timeline.seconds == pytest.approx(8 * 0.4)
    assert [(each.quarter, each.bpm) for each in analysis.timeline.tempos] == [(0, 150)]
    assert [(each.quarter, each.numerator, each.denominator) for each in analysis.timeline.meters] == [(0, 3, 4)]
    assert (list(analysis.guitar.tracks), analysis.guitar.reason) == ([1], "General MIDI guitar program")
    assert analysis.estimated_ms > 0
    assert analysis.request_id == ""


@pytest.mark.parametrize(
    ("data", "config", "reason", "field"),
    [
        (b"", {}, "MIDI_MISSING", "midi"),
        (b"<html>", {}, "INVALID_MIDI", "midi"),
        (SONG, {"model": "mine"}, "UNKNOWN_MODEL", "config.model"),
        (SONG, {"model": "../../etc"}, "UNKNOWN_MODEL", "config.model"),
        (SONG, {"takes": 9}, "INVALID_OPTION", "config.takes"),
        (SONG, {"temperature": 3}, "INVALID_OPTION", "config.temperature"),
        (SONG, {"track": "2"}, "TRACK_NOT_FOUND", "config.track"),
        (SONG, {"track": "x" * 65}, "INVALID_OPTION", "config.track"),
        (SONG, {"drum_map": "x.json"}, "UNKNOWN_DRUM_MAP", "config.drum_map"),
        (header() + track(), {}, "NO_NOTES", None),
        (header() + track(b"\x00\x99\x24\x40\x10\x24\x00"), {}, "NO_GUITAR", None),
    ],
)
def test_what_cannot_be_played_is_refused_with_reason_and_field(
    data: bytes, config: dict[str, Any], reason: str, field: str | None
) -> None:
    body = pb.GenerateDrumsRequest(midi=data, config=pb.GenerationConfig(**config)).SerializeToString()
    answer = parser.answer(Frame({"what": "analyze", "job": 1}, body), RULES)
    assert answer.head == {"what": "failed", "job": 1}
    assert statuses.reason_of(said(answer)) == reason
    assert fields_of(said(answer)) == ([field] if field else [])


def fields_of(status: status_pb2.Status) -> list[str]:
    bad = error_details_pb2.BadRequest()
    return [each.field for packed in status.details if packed.Unpack(bad) for each in bad.field_violations]


# --- faults of ours ---------------------------------------------------------------------------------------------------


def test_a_file_that_takes_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(data: bytes, limits: Limits) -> Song:
        raise MemoryError

    monkeypatch.setattr(midi, "parse", parse)
    answer = parser.answer(
        Frame({"what": "analyze", "job": 3}, pb.GenerateDrumsRequest(midi=SONG).SerializeToString()), RULES
    )
    assert answer.head == {"what": "failed", "job": 3}
    assert statuses.reason_of(said(answer)) == "MIDI_TOO_COMPLEX"


def test_a_fault_of_ours_is_logged_by_its_id_without_a_word_of_the_file(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def parse(data: bytes, limits: Limits) -> Song:
        raise RecursionError("the secret of the song")

    monkeypatch.setattr(midi, "parse", parse)
    answer = parser.answer(
        Frame({"what": "analyze", "job": 3}, pb.GenerateDrumsRequest(midi=SONG).SerializeToString()), RULES
    )
    status = said(answer)
    assert statuses.reason_of(status) == "INTERNAL_ERROR"
    line = logs.JsonFormatter().format(*caplog.records)
    logged = json.loads(line)
    assert logged["error_id"] == statuses.error_id_of(status)
    assert logged["trace"][0] == "RecursionError" and "parser.py" in logged["trace"][1]
    assert "secret" not in line and "secret" not in str(status)


# --- the process ------------------------------------------------------------------------------------------------------


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Starts processes, and ends them."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str, stderr: int | None = None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=ROOT)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        with process:  # closes its pipes and waits
            pass


def ready(process: subprocess.Popen[bytes], **settings: Any) -> tuple[BinaryIO, BinaryIO]:
    """Start the talk with a worker; returns where to write and where to read."""
    stdin: Any = process.stdin
    stdout: Any = process.stdout
    ipc.write_frame(stdin, workers.start_frame(Settings(**settings)))
    assert ipc.read_frame(stdout) == Frame({"what": "ready"})
    return stdin, stdout


def ask(pipes: tuple[BinaryIO, BinaryIO], job: int, data: bytes) -> Frame:
    ipc.write_frame(
        pipes[0], Frame({"what": "analyze", "job": job}, pb.GenerateDrumsRequest(midi=data).SerializeToString())
    )
    frame = ipc.read_frame(pipes[1])
    assert frame is not None
    return frame


def test_the_worker_reads_one_file_after_another_and_ends_with_its_input(worker: Worker) -> None:
    process = worker(*parser_pool.PARSER_COMMAND)
    pipes = ready(process)
    assert ask(pipes, 1, SONG).head == {"what": "done", "job": 1}
    assert ask(pipes, 2, b"<html>").head == {"what": "failed", "job": 2}
    assert ask(pipes, 3, SONG).head == {"what": "done", "job": 3}
    assert process.poll() is None
    pipes[0].close()
    assert process.wait(30) == 0


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_the_worker_ignores_signals_and_ends_with_its_input(worker: Worker) -> None:
    process = worker(*parser_pool.PARSER_COMMAND)
    pipes = ready(process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert ask(pipes, 1, SONG).head == {"what": "done", "job": 1}


def test_what_a_library_prints_does_not_get_between_the_frames(worker: Worker) -> None:
    noisy = """
from seq2drum.formats.midi import midi
from server import parser
parse = midi.parse
def loud(data, **how):
    print("noise", flush=True)
    return parse(data, **how)
midi.parse = loud
parser.main()
"""
    process = worker(sys.executable, "-c", noisy, stderr=subprocess.PIPE)
    pipes = ready(process)
    assert ask(pipes, 1, SONG).head == {"what": "done", "job": 1}
    pipes[0].close()
    assert process.stderr is not None and b"noise" in process.stderr.read()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its address space")
def test_a_file_cannot_take_more_memory_than_it_may_and_the_worker_goes_on(worker: Worker) -> None:
    process = worker(*parser_pool.PARSER_COMMAND)
    pipes = ready(process, screen_mebibytes=256)
    bomb = track(*(part(channel, program) for channel in range(16) for program in range(128)))
    answer = ask(pipes, 1, header(tracks=40) + bomb * 40)
    assert statuses.reason_of(said(answer)) == "MIDI_TOO_COMPLEX"
    assert ask(pipes, 2, SONG).head == {"what": "done", "job": 2}
    limits = Path(f"/proc/{process.pid}/limits").read_text(encoding="ascii")
    assert re.search(r"Max core file size +0 +0 ", limits), "a core file would have the music in it"
