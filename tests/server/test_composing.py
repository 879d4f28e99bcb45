"""Messages about beats without a guitar, and what is made of them."""

from __future__ import annotations

from typing import Any

import pytest
from google.rpc import error_details_pb2, status_pb2

from seq2drum.music.brief import BRIEF
from seq2drum.music.choices import GENRES
from seq2drum.music.limits import Limits
from seq2drum.play.checkpoint.folder import available
from seq2drum.play.generators import composer
from seq2drum.play.generators.composer import Brief, Composer
from seq2drum.rpc import accompaniment_pb2 as pb
from server import composing, parser
from server.ipc import Frame
from server.statuses import Refusal, reason_of

RULES = parser.RequestRules(Limits(), 100, 8, ("default",), "default")


def shares(**weights: float) -> list[pb.GenreShare]:
    return [pb.GenreShare(name=name, weight=weight) for name, weight in weights.items()]


def test_an_empty_message_is_the_brief_that_nothing_was_said_to() -> None:
    assert composing.brief_of(pb.Brief()) == Brief()


def test_all_that_is_asked_for_gets_into_the_brief() -> None:
    message = pb.Brief(genres=shares(funk=2, jazz=1), bpm=96, bars=16, variability=0, fill=4, change=[5, 9])
    message.temperature, message.grid, message.meter = 0, 32, "7/8"
    wanted = Brief("funk:2,jazz:1", 96, 16, 0, 4, (5, 9), 0, 32, "7/8")
    made = composing.brief_of(message)
    assert made.genres == wanted.genres
    names = [name for name in Brief.__dataclass_fields__ if name != "genre"]
    assert [getattr(made, name) for name in names] == [getattr(wanted, name) for name in names]


def test_a_genre_without_a_weight_counts_one() -> None:
    message = pb.Brief(genres=[pb.GenreShare(name="Funk"), pb.GenreShare(name="jazz", weight=3)])
    assert composing.brief_of(message).genres == {"funk": 0.25, "jazz": 0.75}


def test_the_contract_has_all_that_a_brief_has() -> None:
    fields = {field.name for field in pb.Brief.DESCRIPTOR.fields}
    assert {{"genre": "genres", "metre": "meter"}.get(name, name) for name in BRIEF} <= fields


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"bpm": 19}, "bpm", "20 to 400"),
        ({"bpm": float("nan")}, "bpm", "20 to 400"),
        ({"bars": 0}, "bars", "1 to 1024"),
        ({"bars": 100_000}, "bars", "1 to 1024"),
        ({"bars": 101}, "bars", "at most 100"),
        ({"bars": 100, "meter": "128/2"}, "bars", "at most 20,000"),
        ({"variability": 1.5}, "variability", "0 to 1"),
        ({"fill": 1}, "fill", "2 to 1024"),
        ({"change": [9]}, "change", "bar 9, of 8 bars"),
        ({"change": [2] * 1025}, "change", "at most 1024"),
        ({"temperature": -1}, "temperature", "0 to 2"),
        ({"grid": 17}, "grid", "16, 24 or 32"),
        ({"meter": "7/7"}, "meter", "7/8"),
        ({"meter": "200/4"}, "bars", "at most 128"),
        ({"seed": 1 << 63}, "seed", "seed"),
        ({"takes": 9}, "takes", "1 to 8"),
        ({"genres": shares(polka=1)}, "genres", "afrobeat"),
        ({"genres": shares(funk=-1)}, "genres", "0 or more"),
        ({"genres": shares(funk=0)}, "genres", "more than 0"),
        ({"genres": [*shares(funk=1), *shares(funk=1)]}, "genres", "twice"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field_in_one_line(given: Any, field: str, words: str) -> None:
    body = pb.ComposeRequest(brief=pb.Brief(**given)).SerializeToString()
    frame = parser.answer(Frame({"what": "brief", "job": 1}, body), RULES)
    assert frame.head["what"] == "failed"
    status = status_pb2.Status.FromString(frame.body)
    assert reason_of(status) == "INVALID_OPTION" and words in status.message and "\n" not in status.message
    bad = error_details_pb2.BadRequest()
    assert any(packed.Unpack(bad) for packed in status.details)
    assert [violation.field for violation in bad.field_violations] == [f"brief.{field}"]


def test_a_generator_is_one_by_its_name_and_neither_a_folder_nor_a_drummer() -> None:
    for name in ("default", str(composer.find("step")), "/etc/passwd", "x" * 1000):
        with pytest.raises(Refusal) as refusal:
            parser.check_brief(pb.ComposeRequest(brief=pb.Brief(model=name)).SerializeToString(), RULES)
        assert (refusal.value.reason, refusal.value.field) == ("UNKNOWN_MODEL", "brief.model")
        assert refusal.value.metadata["models"].startswith("book")


def test_a_brief_that_makes_sense_is_told_its_bars_and_its_time() -> None:
    body = pb.ComposeRequest(brief=pb.Brief(bars=6, bpm=90, meter="3/4", takes=2)).SerializeToString()
    told = parser.check_brief(body, RULES)
    assert (told.timeline.bars, told.timeline.quarters, told.timeline.seconds) == (6, 18, 12)
    assert told.estimated_ms > 0


def test_a_beat_goes_out_with_its_figures_and_the_brief_with_its_defaults() -> None:
    message = pb.Brief(bars=2, seed=3)
    brief = composing.brief_of(message)
    beat = Composer.load().compose(brief, 3)
    made = composing.beat_message(beat)
    assert (made.midi, made.seed, made.stats.hits) == (beat.to_bytes(), 3, len(beat.song.parts[0]))
    filled = composing.effective_brief(message, brief, "step")
    assert (filled.bpm, filled.bars, filled.grid, filled.meter, filled.takes) == (110, 2, 24, "4/4", 1)
    assert composing.brief_of(filled) == brief
    assert composing.brief_timeline(brief).bars == len(beat.song.bars())
    assert composing.brief_timeline(brief).quarters == beat.song.end / beat.song.ticks_per_quarter


def test_generators_are_listed_apart_from_drummers() -> None:
    listed = composing.generator_list()
    names = [info.id for info in listed.generators]
    assert names == composer.available() and listed.default_generator == names[0] == "book"
    assert not set(names) & set(available())
    assert tuple(listed.genres) == GENRES and len(listed.genre_bpm) == len(GENRES)
    assert all(len(info.sha256) == 32 and info.description for info in listed.generators)
    assert all("CC BY 4.0" in info.license for info in listed.generators[1:])
