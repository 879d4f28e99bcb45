"""Messages of the contract and values of the core, both ways; and what must never get from the one to the other."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client import messages
from seq2drum.errors import CheckpointError, LimitError, OptionError
from seq2drum.formats.midi import midi
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.music import drum_maps
from seq2drum.music.choices import STYLES
from seq2drum.music.explanation import SectionGroove, Swap
from seq2drum.music.file_options import TIMING
from seq2drum.music.kit import FULL
from seq2drum.music.limits import DEFAULT_LIMITS
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from seq2drum.music.options import OPTIONS, PLACE_FIELDS
from seq2drum.music.song_plan import PlannedSection
from seq2drum.music.theory import GuitarChoice
from seq2drum.play.checkpoint.folder import DEFAULT, WEIGHTS, find
from seq2drum.play.drummer import Drummer
from seq2drum.play.grooves.book import Book, groove_of, read_groove
from seq2drum.play.options import Options
from seq2drum.play.session import Session
from seq2drum.play.take import DrumBar, Take
from seq2drum.rpc import accompaniment_pb2 as pb
from server import convert
from server.statuses import Refusal
from tests.players import save_player, strummed
from tests.strategies import songs

Config = pb.GenerationConfig
_HITS = [Note(480 * beat, 60, 36 if beat % 2 == 0 else 38, 90 + beat % 4) for beat in range(16)]
BEAT = midi.serialise(Song(480, (Part.of([*_HITS, Note(2040, 60, 42, 80)], is_drums=True),), (Tempo(0, 500_000),)))
"""Four bars of a beat, of which the second has a hit more."""

NUMBERS = [name for name, one in OPTIONS.items() if one.kind is float]


# --- what comes in ----------------------------------------------------------------------------------------------------


def test_unset_fields_have_the_cores_own_defaults() -> None:
    assert convert.options_of(Config()) == Options()
    assert convert.options_of(Config(style="auto", takes=3, with_guitar=True, explain=True, model="x")) == Options()


def test_every_field_that_is_set_gets_to_the_core() -> None:
    config = Config(
        seed=2**64 - 1,
        temperature=0.0,
        top_p=0.75,
        style="funk",
        intensity=0.0,
        complexity=0.25,
        fills=0.5,
        humanize=1.0,
        swing=0.125,
        track="Lead",
        bars=pb.BarRange(first_bar=3, last_bar=9),
        drum_map="addictive-drums-2",
        daring=0.5,
        ending="choke",
        fill_at=[8, 16],
        no_fills_in=[pb.BarRange(first_bar=1, last_bar=4)],
        pieces="all",
        time="ride",
        without=["crash", "toms"],
        out="intro,1-8",
        enter=9,
        like=b"MThd",
        groove=[pb.GrooveChoice(name="one drop")],
    )
    assert convert.options_of(config) == Options(
        seed=2**64 - 1,
        temperature=0.0,
        top_p=0.75,
        style="funk",
        intensity=0.0,
        complexity=0.25,
        fills=0.5,
        humanize=1.0,
        swing=0.125,
        track="Lead",
        bars=(3, 9),
        drum_map="addictive-drums-2",
        daring=0.5,
        ending="choke",
        fill_at=(8, 16),
        no_fills_in=((1, 4),),
        pieces="all",
        time="ride",
        without=("crash", "toms"),
        out="intro,1-8",
        enter=9,
        like=b"MThd",
        groove={"": Book.load()["one-drop"]},
    )
    assert convert.options_of(Config(prime_bars=4)) == Options(prime=4)


def test_every_option_of_the_core_can_be_asked_for() -> None:
    asked = {field.name for field in Config.DESCRIPTOR.fields}
    own = {field.name for field in dataclasses.fields(Options)}
    session = {field.name for field in dataclasses.fields(Session)}
    others = {"prime_bars", "model", "takes", "with_guitar", "explain", "plan", "excerpt", *PLACE_FIELDS.values()}
    others |= {one.field or name for name, one in TIMING.items()}
    assert own - asked == {"prime"} and asked - own == others | session


def test_a_session_is_what_is_asked_for_and_a_long_count_in_is_refused() -> None:
    assert convert.session_of(Config(count_in=2, split=True)) == Session(count_in=2, split=True)
    with pytest.raises(Refusal) as refused:
        convert.session_of(Config(count_in=9))
    assert (refused.value.reason, refused.value.field) == ("INVALID_OPTION", "config.count_in")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(name, value) for name in NUMBERS for value in (math.nan, math.inf, -math.inf, -1e-9, 2.5, 1e308)],
        ("top_p", 0.5),
        ("style", "Funk"),
        ("style", "x" * 65),
        ("track", "x" * 65),
        ("model", "x" * 65),
        ("drum_map", "x" * 65),
        ("bars", pb.BarRange(first_bar=0, last_bar=4)),
        ("bars", pb.BarRange(first_bar=5, last_bar=4)),
        ("bars", pb.BarRange()),
        ("ending", "fade"),
        ("ending", "x" * 65),
        ("pieces", "some"),
        ("time", "bell"),
        ("without", ["gong"]),
        ("without", ["x" * 65]),
        ("without", ["crash"] * 65),
        ("fill_at", [0]),
        ("fill_at", [1] * 2001),
        ("no_fills_in", [pb.BarRange(first_bar=2, last_bar=1)]),
        ("no_fills_in", [pb.BarRange(first_bar=1, last_bar=1)] * 2001),
        ("enter", 0),
        ("out", "intro,,2"),
        ("out", "x" * 4001),
        ("groove", [pb.GrooveChoice()]),
        ("groove", [pb.GrooveChoice(name="x" * 65)]),
        ("groove", [pb.GrooveChoice(section="x" * 65, name="one drop")]),
        ("groove", [pb.GrooveChoice(name="no such groove at all")]),
        ("groove", [pb.GrooveChoice(name="one drop", bars=pb.BarRange(first_bar=1, last_bar=1))]),
        ("groove", [pb.GrooveChoice(name="one drop")] * 2),
        ("groove", [pb.GrooveChoice(section=str(at), name="one drop") for at in range(27)]),
        ("groove", [pb.GrooveChoice(midi=BEAT, bars=pb.BarRange(first_bar=1, last_bar=9))]),
    ],
)
def test_a_wrong_value_is_refused_with_the_name_of_its_field(field: str, value: Any) -> None:
    with pytest.raises(Refusal) as refused:
        convert.options_of(Config(**{field: value}))
    assert (refused.value.reason, refused.value.field) == ("INVALID_OPTION", f"config.{field}")


def test_a_groove_may_be_the_drums_of_a_file_or_some_bars_of_it() -> None:
    whole, bars = (
        convert.options_of(Config(groove=[pb.GrooveChoice(section="A", midi=BEAT, bars=bars)])).groove
        for bars in (None, pb.BarRange(first_bar=2, last_bar=2))
    )
    assert whole == {"A": groove_of(midi.parse(BEAT))}
    assert bars == {"A": groove_of(midi.parse(BEAT), (2, 2))}


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "INVALID_MIDI"), (b"MThd", "INVALID_MIDI"), (midi.serialise(strummed(1)), "INVALID_OPTION")],
)
def test_a_groove_whose_file_cannot_be_used_is_refused_with_its_field(data: bytes, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        convert.options_of(Config(groove=[pb.GrooveChoice(midi=data)]))
    assert (refused.value.reason, refused.value.field) == (reason, "config.groove")


def test_the_file_of_a_groove_is_read_under_the_limits() -> None:
    with pytest.raises(Refusal) as refused:
        convert.options_of(Config(groove=[pb.GrooveChoice(midi=BEAT)]), replace(DEFAULT_LIMITS, events=3))
    assert (refused.value.reason, refused.value.field) == ("MIDI_OVER_LIMIT", "config.groove")


def test_a_path_in_place_of_a_groove_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.mid").write_bytes(BEAT)
    monkeypatch.chdir(tmp_path)
    assert isinstance(read_groove("own.mid"), Groove), "at the machine it is a groove"
    for name in ("own.mid", "./own.mid", "own.mid:1", str(tmp_path / "own.mid")[-64:], "/etc/passwd", "one drop.mid"):
        with pytest.raises(Refusal, match="there is no groove") as refused:
            convert.options_of(Config(groove=[pb.GrooveChoice(name=name)]))
        assert (refused.value.reason, refused.value.field) == ("INVALID_OPTION", "config.groove")


def test_the_name_of_a_family_of_grooves_is_kept_for_the_song_to_choose() -> None:
    kept = convert.options_of(Config(groove=[pb.GrooveChoice(name="half-time")]))
    assert kept.groove == {"": "half-time"}
    with pytest.raises(Refusal, match="several kinds") as refused:
        convert.options_of(Config(groove=[pb.GrooveChoice(name="hat")]))
    assert refused.value.field == "config.groove"


def test_a_section_of_the_contract_has_the_fields_of_one_of_the_core_and_all_of_them_arrive() -> None:
    names = [field.name.removesuffix("_bar") for field in pb.PlannedSection.DESCRIPTOR.fields]
    assert names == list(PlannedSection._fields)
    row = PlannedSection(3, 9, "B", 5, "ride", 1.3, 0.8, "rock-hat")
    for made in (convert.planned_section(row), *messages.config(messages.RemoteOptions(plan=(row,))).plan):
        assert len(made.ListFields()) == len(names) and convert.plan_of(Config(plan=[made])) == (row,)


def test_a_plan_has_the_defaults_of_the_contract() -> None:
    row = pb.PlannedSection(first_bar=1, last_bar=8, name="A")
    assert convert.plan_of(Config()) == ()
    assert convert.plan_of(Config(plan=[row])) == (PlannedSection(1, 8, "A", None, None, 1.0, 1.0),)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"first_bar": 0}, "has impossible bars"),
        ({"first_bar": 9}, "has impossible bars"),
        ({"enters": 0}, "has the drums enter in bar 0, wanted one of its bars"),
        ({"enters": 9}, "has the drums enter in bar 9"),
        ({"cymbal": "gong" * 1000}, "has the cymbal 'gonggong"),
        ({"cymbal": "kick"}, "has the cymbal 'kick', wanted one of closed hat"),
        ({"level": 0.0}, "has level 0.0, wanted 0.25 to 4"),
        ({"level": math.nan}, "has level nan"),
        ({"loudness": math.inf}, "has loudness inf, wanted 0.5 to 1.5"),
        ({"loudness": -1.0, "name": "x" * 100_000}, "has loudness -1.0"),
    ],
)
def test_a_plan_with_an_impossible_value_is_refused_in_few_words(values: dict[str, Any], said: str) -> None:
    row = pb.PlannedSection(**{"first_bar": 1, "last_bar": 8, "name": "A", **values})
    with pytest.raises(Refusal, match=said) as refused:
        convert.plan_of(Config(plan=[row]))
    assert refused.value.field == "config.plan" and len(str(refused.value)) < 300


def test_a_plan_of_a_million_sections_is_refused_before_any_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(plan=[pb.PlannedSection(first_bar=1, last_bar=1)] * 2000)
    assert len(convert.plan_of(config)) == 2000
    many = Config.FromString(config.SerializeToString() * 500)
    monkeypatch.setattr("server.convert.PlannedSection", None)
    with pytest.raises(Refusal, match="the plan has 1000000 sections, wanted at most 2000"):
        convert.plan_of(many)


def test_fields_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(OptionError, match="leave one of them out"):
        convert.options_of(Config(prime_bars=1, bars=pb.BarRange(first_bar=1, last_bar=2)))


def test_a_name_of_the_greatest_length_is_accepted() -> None:
    assert convert.options_of(Config(track="x" * 64)).track == "x" * 64


def test_a_path_in_place_of_a_drum_map_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"kick": 35}), encoding="utf-8")
    assert Options(drum_map=str(own)).drum_map, "at the machine it is a map"
    monkeypatch.chdir(tmp_path)
    for name in ("own.json", "./own.json", str(own)[-64:], "/etc/passwd", "GM", "gm\x00", " gm"):
        with pytest.raises(Refusal) as refused:
            convert.options_of(Config(drum_map=name))
        if refused.value.reason != "INVALID_OPTION":
            assert (refused.value.reason, refused.value.field) == ("UNKNOWN_DRUM_MAP", "config.drum_map")
            assert refused.value.metadata == {"drum_maps": ", ".join(drum_maps.names())}


@given(st.binary(max_size=60))
def test_any_configuration_is_either_options_or_refused(data: bytes) -> None:
    try:
        config = Config.FromString(data)
    except Exception:  # protobuf's own: these bytes are no configuration
        return
    try:
        convert.options_of(config)
    except OptionError:
        assert (config.prime_bars and config.HasField("bars")) or (config.fill_at and config.no_fills_in)
    except Refusal as refused:
        assert refused.reason in ("INVALID_OPTION", "UNKNOWN_DRUM_MAP", "INVALID_MIDI")


@pytest.mark.parametrize(("asked", "count"), [(0, 1), (1, 1), (8, 8)])
def test_takes_are_counted_from_one(asked: int, count: int) -> None:
    assert convert.takes_of(Config(takes=asked), 8) == count


def test_too_many_takes_are_refused() -> None:
    with pytest.raises(Refusal, match="9 takes are requested, wanted 1 to 8") as refused:
        convert.takes_of(Config(takes=9), 8)
    assert refused.value.field == "config.takes"


def test_a_model_is_found_by_its_id_alone() -> None:
    known = ("default", "mine")
    assert convert.model_of(Config(), known, "mine") == "mine"
    assert convert.model_of(Config(model="default"), known, "mine") == "default"
    for name in ("seq2drum/checkpoints/default", "..", "Mine", "x" * 1000):
        with pytest.raises(Refusal) as refused:
            convert.model_of(Config(model=name), known, "mine")
        assert (refused.value.reason, refused.value.metadata) == ("UNKNOWN_MODEL", {"models": "default, mine"})


def effective(config: pb.GenerationConfig) -> pb.GenerationConfig:
    return convert.effective(config, convert.options_of(config), "mine")


def test_the_effective_configuration_gives_the_same_options_again() -> None:
    for config in (
        Config(),
        Config(style="auto", seed=3, swing=0.0),
        Config(takes=4, humanize=0.5, drum_map="gm"),
        Config(groove=[pb.GrooveChoice(name="one drop")], without=["crash"], fill_at=[3]),
    ):
        filled = effective(config)
        assert effective(filled) == filled
        given, own = convert.options_of(filled), convert.options_of(config)
        assert replace(given, temperature=given.freedom) == replace(own, temperature=own.freedom)
        assert filled.takes == convert.takes_of(config, 8)


def test_the_effective_configuration_has_defaults_and_leaves_what_the_model_decides_unset() -> None:
    own = Options()
    filled = effective(Config())
    assert filled == Config(
        model="mine",
        seed=own.seed,
        temperature=1,
        top_p=own.top_p,
        drum_map=own.drum_map,
        takes=1,
        daring=0,
        ending="auto",
        time="auto",
        arrange="auto",
        percussion="none",
    )
    assert not filled.HasField("intensity") and not filled.HasField("swing")
    assert not effective(Config(groove=[pb.GrooveChoice(name="one drop")])).HasField("temperature")


def test_the_effective_configuration_has_no_files() -> None:
    config = Config(like=BEAT, groove=[pb.GrooveChoice(section="B", midi=BEAT)])
    filled = effective(config)
    assert filled.like == b""
    assert filled.groove == [pb.GrooveChoice(section="B")]


# --- what goes out ----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(songs(max_parts=3, max_notes=5))
def test_bars_are_counted_as_many_as_there_are(song: Song) -> None:
    assert convert.count_bars(song) == len(song.bars())


@pytest.mark.parametrize("division", [1, 2, 3, 5, 7, 480])
def test_bars_of_less_than_a_tick_are_counted_as_they_are_made(division: int) -> None:
    for numerator, denominator in ((1, 64), (3, 64), (5, 32), (7, 16), (1, 1)):
        for end in range(40):
            song = Song(division, (), (), (Metre(0, numerator, denominator), Metre(17, 5, 8)), end)
            assert convert.count_bars(song) == len(song.bars())


def test_a_song_of_too_many_bars_is_refused() -> None:
    song = strummed(8)
    convert.check_bars(song, 8)
    with pytest.raises(LimitError, match="has 8 bars, at most 7 are played"):
        convert.check_bars(song, 7)


def test_a_timeline_begins_at_the_start_and_the_last_of_several_at_one_tick_holds() -> None:
    song = Song(
        100,
        (Part.of([Note(0, 900, 40, 90)]),),
        (Tempo(200, 400_000), Tempo(400, 300_000), Tempo(400, 600_000)),
        (Metre(0, 3, 4), Metre(0, 2, 4), Metre(200, 7, 8)),
        900,
    )
    timeline = convert.timeline(song)
    assert [(each.quarter, each.bpm) for each in timeline.tempos] == [(0, 120), (2, 150), (4, 100)]
    assert [(each.quarter, each.numerator, each.denominator) for each in timeline.meters] == [(0, 2, 4), (2, 7, 8)]
    assert (timeline.bars, timeline.quarters, timeline.ticks_per_quarter) == (3, 9, 100)
    assert timeline.seconds == pytest.approx(1 + 0.8 + 5 * 0.6)


def test_a_song_without_any_event_has_the_tempo_and_the_metre_of_midi() -> None:
    timeline = convert.timeline(Song(480, (), (), (), 480))
    assert [(each.quarter, each.bpm) for each in timeline.tempos] == [(0, 120)]
    assert [(each.quarter, each.numerator, each.denominator) for each in timeline.meters] == [(0, 4, 4)]


def test_a_long_track_name_is_cut_and_no_name_breaks_a_message() -> None:
    names = ["", "Gitarre é", "x" * 100, "y" * 101, "half \ud800 a pair", "\x00"]
    song = Song(480, tuple(Part.of([Note(0, 1, 40, 90)], name=name) for name in names))
    names = [each.name for each in convert.tracks(song)]
    assert names == ["", "Gitarre é", "x" * 100, "y" * 99 + "…", "half ? a pair", "\x00"]
    assert [each.number for each in convert.tracks(song)] == [1, 2, 3, 4, 5, 6]


def test_the_guitars_tracks_are_numbered_as_the_tracks_of_the_summary() -> None:
    guitar = convert.guitar(GuitarChoice((0, 2), "named 'Git'"))
    assert (list(guitar.tracks), guitar.reason) == ([1, 3], "named 'Git'")


@pytest.fixture(scope="module")
def drummer(tmp_path_factory: pytest.TempPathFactory) -> Drummer:
    return Drummer.load(save_player(tmp_path_factory.mktemp("player")))


@pytest.fixture(scope="module")
def takes(drummer: Drummer) -> list[Take]:
    return drummer.takes(midi.serialise(strummed(4)), Options(seed=5), 2)


def sent(pieces: Iterable[pb.ExplanationPiece]) -> list[tuple[str, dict[str, str]]]:
    """The names and the values of pieces of an explanation."""
    return [(piece.what, dict(piece.values)) for piece in pieces]


@pytest.mark.parametrize("with_guitar", [False, True])
def test_the_message_of_a_take_has_its_file_and_its_figures(takes: list[Take], with_guitar: bool) -> None:
    take = takes[0]
    message = convert.drum_take(take, Config(with_guitar=with_guitar, explain=True))
    assert message.midi == take.to_bytes(with_guitar=with_guitar)
    assert message.sha256 == hashlib.sha256(message.midi).digest()
    assert message.seed == take.options.seed
    assert message.score == pytest.approx(take.score)
    velocity = take.part.velocity
    assert (message.stats.hits, message.stats.hits_per_bar) == (len(take.part), len(take.part) / 4)
    assert message.stats.mean_velocity == pytest.approx(np.mean(velocity))
    assert message.stats.velocity_sd == pytest.approx(np.std(velocity))
    said = [(each.first_bar, each.last_bar, each.text, sent(each.pieces)) for each in message.explanations]
    assert said == [(*each[:3], [(piece.what, dict(piece.values)) for piece in each.pieces]) for each in take.explain()]


def test_a_take_alone_has_no_score_and_explains_itself_only_if_asked(takes: list[Take]) -> None:
    message = convert.drum_take(dataclasses.replace(takes[0], score=None), Config())
    assert not message.HasField("score") and not message.explanations


def test_a_silent_take_has_figures_too(takes: list[Take]) -> None:
    silent = dataclasses.replace(takes[0], part=Part.of([], is_drums=True))
    message = convert.drum_take(silent, Config())
    assert message.stats == pb.DrumStats()


def test_the_bars_of_a_take_are_the_take(drummer: Drummer) -> None:
    song = strummed(4)
    bars: list[DrumBar] = list(drummer.stream(song, Options(seed=5)))
    messages = [convert.bar_events(2, 5, bar, song.ticks_per_quarter) for bar in bars]
    assert [(each.take, each.seed, each.bar) for each in messages] == [(2, 5, number) for number in (1, 2, 3, 4)]
    hits = [hit for each in messages for hit in each.hits]
    rows = np.array([(hit.tick, hit.length_ticks, hit.note, hit.velocity) for hit in hits])
    assert np.array_equal(rows, np.concatenate([bar.part.rows for bar in bars])) and len(rows)
    assert all(hit.quarter == hit.tick / song.ticks_per_quarter for hit in hits)


def test_the_maps_are_those_of_the_core_with_every_piece() -> None:
    maps = convert.maps().maps
    assert [each.id for each in maps] == list(drum_maps.names()) and maps[0].id == "gm"
    for each in maps:
        assert [piece.piece for piece in each.pieces] == [voice.name for voice in FULL.voices]
        drum_map = drum_maps.load(each.id)
        assert tuple(tuple(piece.notes) for piece in each.pieces) == drum_map.notes
        assert (each.about, each.source, each.tried) == (drum_map.about, drum_map.source, drum_map.tried)


def test_the_grooves_are_those_of_the_book() -> None:
    listed = convert.grooves().grooves
    assert [groove.name for groove in listed] == [groove.name for groove in Book.load()]
    one = next(groove for groove in listed if groove.name == "one-drop")
    own = Book.load()["one-drop"]
    assert (one.title, one.numerator, one.denominator, one.style) == (own.title, 4, 4, "reggae")
    assert (one.min_bpm, one.max_bpm) == own.tempo


def test_a_take_says_what_its_sections_were_played_on(takes: list[Take]) -> None:
    grooves = (SectionGroove("A", "one-drop", "one drop, hat"), SectionGroove("B", "bossa", "bossa"))
    message = convert.drum_take(replace(takes[0], grooves=grooves), Config())
    assert [SectionGroove(each.section, each.name, each.title) for each in message.grooves] == list(grooves)


def test_a_take_says_how_its_sections_are_built(drummer: Drummer) -> None:
    bars = list(drummer.stream(strummed(4), Options(seed=5)))
    rows = [row for bar in bars for row in bar.plan]
    assert rows
    for message in (
        convert.drum_take(drummer.accompany(strummed(4), Options(seed=5)), Config(count_in=2)).plan,
        [row for bar in bars for row in convert.bar_events(0, 5, bar, 480).plan],
    ):
        assert convert.plan_of(Config(plan=message)) == tuple(rows)


def test_a_take_says_which_pieces_the_kit_of_the_drum_map_lacks(takes: list[Take]) -> None:
    swaps = (Swap("bell", "ride", 12), Swap("clap", "", 3))
    message = convert.drum_take(replace(takes[0], swaps=swaps), Config())
    assert [Swap(each.piece, each.instead, each.hits) for each in message.swaps] == list(swaps)


def test_the_message_of_a_model_has_the_digest_of_its_weights_and_its_description() -> None:
    folder = find(DEFAULT)
    info = convert.model_info("mine", folder)
    assert (info.id, list(info.styles)) == ("mine", list(STYLES))
    assert info.sha256 == hashlib.sha256((folder / WEIGHTS).read_bytes()).digest()
    assert "transformer" in info.description and str(folder) not in str(info)


def test_a_folder_that_is_no_model_raises_checkpoint_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        convert.model_info("mine", tmp_path)
