"""The verb everyone calls, by laws that hold for every model: a tiny one of random weights tries to break them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2drum import Drummer, Options, Take
from seq2drum.errors import (
    CheckpointError,
    InputError,
    NoGuitarError,
    NoNotesError,
    OptionError,
    PartNotFoundError,
    UnknownModelError,
)
from seq2drum.formats.midi import events, midi
from seq2drum.lattice.gestures import STOPS_AFTER
from seq2drum.music import drum_maps
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from seq2drum.play.checkpoint import runtime
from seq2drum.play.checkpoint.folder import available, find
from seq2drum.play.checkpoint.runtime import LoadedGraph
from seq2drum.play.choose import choose
from seq2drum.play.decode import engine
from seq2drum.play.decode.engine import Engine
from seq2drum.play.decode.sampling import Sampling
from tests import strategies
from tests.conftest import ROOT
from tests.players import faults, save_player, strummed

METRES = [(4, 4), (3, 4), (6, 8), (5, 4), (7, 8), (12, 8), (2, 2), (9, 16), (1, 4), (64, 4)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"))


@pytest.fixture(scope="module")
def player(folder: Path) -> Drummer:
    return Drummer.load(folder)


def test_a_drummer_at_a_prompt_shows_itself_in_one_short_line(player: Drummer, folder: Path) -> None:
    assert len(repr(player)) < 100 + len(str(folder))
    assert str(folder) in repr(player)


@pytest.mark.parametrize("name", ["weights.safetensors", "bar.onnx"])
def test_a_damaged_file_of_the_package_is_refused_as_any_other(name: str, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(runtime, "_SHIPPED", folder.parent)
    damaged = folder.parent / "shipped"
    shutil.copytree(folder, damaged)
    content = bytearray((damaged / name).read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / name).write_bytes(content)
    try:
        with pytest.raises(CheckpointError, match=f"{name}.*its SHA-256 differs"):
            engine.load(damaged)
    finally:
        shutil.rmtree(damaged)


def written(take: Take) -> Song:
    return midi.parse(take.to_bytes())


def assert_good(take: Take) -> None:
    """The laws of every take, looked at in the file that is written."""
    song = take.song
    assert faults(take.part, song) == []
    file = written(take)
    assert file.ticks_per_quarter == song.ticks_per_quarter
    assert file.tempos == song.tempos
    assert file.metres == song.metres
    assert file.end == max([song.end] + [event[0] for event in (*song.tempos, *song.metres)])
    assert len(file.bars()) >= len(song.bars())
    assert file.bars()[: len(song.bars()) - 1] == song.bars()[:-1]
    assert [part for part in file.parts if len(part)] == ([take.part] if len(take.part) else [])


@pytest.mark.parametrize(("numerator", "denominator"), METRES)
def test_a_take_has_the_songs_ticks_tempos_metres_and_length(player: Drummer, numerator: int, denominator: int) -> None:
    end = strummed(9, [Metre(0, numerator, denominator)]).end
    tempos = [Tempo(end * index // 50, 400_000 + 5000 * index) for index in range(50)]
    take = player.accompany(strummed(9, [Metre(0, numerator, denominator)], tempos=tempos))
    assert len(take.part) > 9
    assert_good(take)
    assert written(take).length == take.song.length


@pytest.mark.parametrize("ticks", [1, 2, 5, 7, 24, 96, 120, 480, 960, 1023, 32767])
def test_any_ticks_per_quarter_will_do(player: Drummer, ticks: int) -> None:
    take = player.accompany(strummed(6, ticks_per_quarter=ticks))
    assert len(take.part) > 6
    assert_good(take)


def test_metres_may_change_and_a_pickup_may_come_first(player: Drummer) -> None:
    metres = [Metre(0, 1, 4), Metre(480, 4, 4), Metre(480 + 4 * 1920, 7, 8), Metre(480 + 4 * 1920 + 1680 + 100, 3, 4)]
    take = player.accompany(strummed(4, metres))
    assert [bar.numerator for bar in take.song.bars()] == [1, 4, 4, 4, 4, 7, 7, 3, 3, 3, 3]
    assert_good(take)


def guitar_songs() -> st.SearchStrategy[Song]:
    """Songs of any kind, the first part of which is a guitar with notes."""

    def with_guitar(song: Song, guitar: Part) -> Song:
        guitar = replace(guitar, program=25, name="Guitar", is_drums=False)
        return replace(song, parts=(guitar, *song.parts), length=max(song.length, guitar.end))

    return st.builds(with_guitar, strategies.songs(max_parts=3, max_notes=12), strategies.parts(400, max_notes=30))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(song=guitar_songs(), seed=st.integers(0, 2**40))
def test_every_song_gets_a_take_that_a_drummer_could_play(player: Drummer, song: Song, seed: int) -> None:
    if len(song.bars()) > 300:  # a slow machine's patience; long songs have a test of their own
        song = replace(song, metres=())
    options = Options(seed=seed, temperature=1.5, top_p=1.0)
    take = player.accompany(song, options)
    assert_good(take)
    bars = list(player.stream(song, options))
    assert [bar.bar for bar in bars] == list(song.bars())
    rows = np.concatenate([bar.part.rows for bar in bars])
    assert replace(take.part, program=0, is_xg=False) == Part.of(rows, name="Drums", is_drums=True)
    assert {(bar.part.program, bar.part.is_xg) for bar in bars} == {(take.part.program, take.part.is_xg)}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_take(folder: Path) -> None:
    song = strummed()
    files = [Drummer.load(folder).accompany(song, Options(seed=seed)).to_bytes() for seed in (3, 3, 4)]
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_another_process_makes_the_same_bytes(folder: Path, player: Drummer, tmp_path: Path) -> None:
    player.accompany(strummed(), Options(seed=1)).save(tmp_path / "here.mid")
    (tmp_path / "song.mid").write_bytes(midi.serialise(strummed()))
    script = (
        "import sys; from seq2drum import Drummer, Options;"
        "Drummer.load(sys.argv[1]).accompany(sys.argv[2], Options(seed=1)).save(sys.argv[3])"
    )
    names = [str(folder), str(tmp_path / "song.mid"), str(tmp_path / "there.mid")]
    subprocess.run([sys.executable, "-c", script, *names], check=True, cwd=ROOT, timeout=120)
    assert (tmp_path / "here.mid").read_bytes() == (tmp_path / "there.mid").read_bytes()


def test_the_drums_are_one_named_track_on_channel_ten(player: Drummer) -> None:
    data = player.accompany(strummed(2)).to_bytes()
    assert int.from_bytes(data[10:12], "big") == 2  # the map, and the drums
    track = data[data.index(b"MTrk", data.index(b"MTrk") + 4) :]
    assert b"\xff\x03\x05Drums" in track
    statuses = [event.status for part in events.split(track, 0) for event in events.walk(part)]
    assert statuses.count(0x99) > 2
    assert {status & 0x0F for status in statuses if 0x80 <= status < 0xF0} == {9}


def test_drums_that_the_song_already_has_are_not_looked_at(player: Drummer) -> None:
    song = strummed()
    own = Part.of([Note(at, 60, 38, 100) for at in range(0, song.end - 60, 120)], name="Drums", is_drums=True)
    with_drums = replace(song, parts=(own, *song.parts))
    assert player.accompany(with_drums).part == player.accompany(song).part


def test_the_guitar_is_listened_to(player: Drummer) -> None:
    one, other = player.accompany(strummed(pitch=40)), player.accompany(strummed(pitch=71))
    assert one.part != other.part


def test_a_stream_can_be_left_early_and_costs_only_what_was_taken(player: Drummer) -> None:
    calls = 0
    feel = player.engine.graphs["feel"]

    def counted(arrays: dict[str, np.ndarray]) -> object:
        nonlocal calls
        calls += 1
        return feel.run(arrays)

    graphs = {**player.engine.graphs, "feel": LoadedGraph(feel.inputs, feel.outputs, counted)}  # type: ignore[arg-type]
    watched = Drummer(replace(player.engine, graphs=graphs))
    bars = list(islice(watched.stream(strummed(50)), 3))
    assert [bar.bar.index for bar in bars] == [0, 1, 2]
    assert 3 <= calls <= 2 * 3  # a bar may be drawn twice
    assert bars[1].part == list(islice(player.stream(strummed(50)), 2))[1].part


def test_a_stream_refuses_a_bad_song_before_its_first_bar(player: Drummer) -> None:
    with pytest.raises(NoNotesError):
        player.stream(replace(strummed(), parts=()))


def test_temperature_zero_is_one_take_whatever_the_seed(player: Drummer) -> None:
    takes = [player.accompany(strummed(), Options(seed=seed, temperature=0)).to_bytes() for seed in (0, 7)]
    assert takes[0] == takes[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed is -1, wanted 0 or more"),
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": 2.1}, "temperature is 2.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_p": 0.5}, "top-p is 0.5"),
        ({"top_p": 1.01}, "top-p is 1.01"),
        ({"top_p": float("nan")}, "top-p is nan"),
    ],
)
def test_an_option_out_of_range_is_refused_with_its_range(options: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(**options)  # type: ignore[arg-type]


def band() -> Song:
    song = strummed()
    lead = Part.of([Note(at, 200, 76, 90) for at in range(0, song.end - 200, 480)], program=30, name="Lead Guitar")
    piano = Part.of([Note(at, 200, 60, 90) for at in range(0, song.end - 200, 960)], program=0, name="Piano")
    drums = Part.of([Note(0, 10, 36, 90)], name="Kit", is_drums=True)
    return replace(song, parts=(*song.parts, lead, piano, drums))


def test_all_guitars_are_heard_unless_one_is_chosen_by_number_or_name(player: Drummer) -> None:
    takes = {track: player.accompany(band(), Options(track=track)) for track in (None, "1", "2", "lead", "Piano")}
    assert {track: take.guitar.parts for track, take in takes.items()} == {
        None: (0, 1),
        "1": (0,),
        "2": (1,),
        "lead": (1,),
        "Piano": (2,),
    }
    assert takes["2"].part == takes["lead"].part
    assert takes[None].part != takes["1"].part


@pytest.mark.parametrize("track", ["9", "0", "Banjo", "Kit"])
def test_a_part_that_is_not_there_or_drums_is_refused(player: Drummer, track: str) -> None:
    with pytest.raises(PartNotFoundError, match="2 'Lead Guitar'"):
        player.accompany(band(), Options(track=track))


def test_a_song_may_be_a_value_bytes_a_path_or_a_score(player: Drummer, tmp_path: Path) -> None:
    data = midi.serialise(strummed())
    path = tmp_path / "song.mid"
    path.write_bytes(data)
    takes = [player.accompany(song).part for song in (midi.parse(data), data, path, str(path))]
    assert takes == [takes[0]] * 4
    score = tmp_path / "song.musicxml"
    score.write_text(
        '<?xml version="1.0"?><score-partwise version="3.1"><part-list><score-part id="P1">'
        "<part-name>Guitar</part-name>"
        '</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions><time><beats>3'
        "</beats><beat-type>4</beat-type></time></attributes>"
        + "<note><pitch><step>E</step><octave>3</octave></pitch><duration>1</duration></note>" * 3
        + "</measure></part></score-partwise>"
    )
    take = player.accompany(score)
    assert [(bar.numerator, bar.length) for bar in take.song.bars()] == [(3, 3 * take.song.ticks_per_quarter)]
    assert_good(take)


@pytest.mark.parametrize(
    "notes",
    [
        [Note(0, 480, 60, 90)],
        [Note(0, 0, 60, 90)],  # no length
        [Note(0, 1, 60, 90)],  # one tick
        [Note(7 * 1920, 10, 60, 90)],  # at a barline, after seven empty bars
        [Note(8 * 1920 - 1, 1, 60, 90)],  # the very last tick
        [Note(8 * 1920, 0, 60, 90)],  # where the song ends
    ],
)
def test_a_song_of_one_note_gets_drums_in_its_bars(player: Drummer, notes: list[Note]) -> None:
    for length in (0, 8 * 1920):
        song = Song(480, (Part.of(notes, program=24),), length=length)
        take = player.accompany(song)
        assert_good(take)
        bars = {int(np.searchsorted([bar.end for bar in song.bars()], note.onset, "right")) for note in take.part}
        begin = min(notes[0].onset, song.end - 1) // 1920
        assert bars <= {begin - 1, begin}
        if notes[0].onset < song.end - 1:
            assert bars


def test_there_are_no_drums_before_the_music_begins_and_after_it_has_ended(player: Drummer) -> None:
    notes = [Note(at, 200, 60, 90) for at in range(2 * 1920, 4 * 1920, 240)]
    song = Song(480, (Part.of(notes, program=24),), length=8 * 1920)
    onset = player.accompany(song).part.onset
    assert 2 * 1920 - 40 <= onset.min() < 2 * 1920 + 480
    assert onset.max() < 4 * 1920
    piano = Part.of([Note(0, 100, 60, 90), Note(6 * 1920, 100, 60, 90)], program=0)
    onset = player.accompany(replace(song, parts=(*song.parts, piano))).part.onset
    assert onset.min() < 480
    assert 6 * 1920 - 40 <= onset.max() < 7 * 1920


def test_a_long_song_comes_to_its_end(player: Drummer) -> None:
    take = player.accompany(strummed(300))
    assert_good(take)
    assert len(np.unique(take.part.onset // 1920)) == 300


def test_one_enormous_bar_does_not_make_all_others_expensive(player: Drummer) -> None:
    sizes = []
    encode = player.engine.graphs["encode"]

    def measured(arrays: dict[str, np.ndarray]) -> object:
        sizes.append(arrays["guitar"].shape)
        return encode.run(arrays)

    graphs = {**player.engine.graphs, "encode": LoadedGraph(encode.inputs, encode.outputs, measured)}  # type: ignore[arg-type]
    engine = replace(player.engine, graphs=graphs)
    song = strummed(20, [Metre(0, 128, 1), Metre(512 * 480, 4, 4)])
    take = Drummer(engine).accompany(song)
    assert_good(take)
    assert sizes[0][:2] == (128 + 20, 24)
    assert len(np.unique(take.part.onset // 1920)) == 148
    assert [bar.bar for bar in player.stream(song)] == list(song.bars())


def test_a_metre_that_cuts_a_song_into_countless_bars_is_refused(player: Drummer) -> None:
    song = strummed(1, [Metre(0, 1, 64)])
    with pytest.raises(InputError, match="has 32000 bars, at most 10000 are played"):
        player.accompany(replace(song, length=1000 * 480 * 2))


def test_with_the_guitar_the_original_stays_and_only_drums_are_replaced(player: Drummer) -> None:
    data = midi.serialise(band())
    take = player.accompany(data)
    both = midi.parse(take.to_bytes(with_guitar=True))
    assert [part for part in both.parts if not part.is_drums] == [part for part in band().parts if not part.is_drums]
    assert [part for part in both.parts if part.is_drums] == [take.part]
    assert (both.tempos, both.metres, both.length) == (band().tempos, band().metres, band().length)
    of_a_value = midi.parse(player.accompany(band()).to_bytes(with_guitar=True))
    assert of_a_value.parts == both.parts


def test_saving_gives_the_take_back_and_the_file_holds_it(player: Drummer, tmp_path: Path) -> None:
    take = player.accompany(strummed())
    assert take.save(tmp_path / "drums.mid") is take
    assert (tmp_path / "drums.mid").read_bytes() == take.to_bytes()


def test_songs_without_a_guitar_or_notes_are_refused_each_in_its_own_words(player: Drummer) -> None:
    drums = Part.of([Note(0, 10, 36, 90)], is_drums=True)
    piano = Part.of([Note(0, 10, 60, 90)], program=0)
    empty = Part.of([], program=25)
    messages = []
    for parts, error in (
        ((), NoNotesError),
        ((drums,), NoGuitarError),
        ((piano, piano), NoGuitarError),
        ((empty, piano, drums), NoNotesError),
    ):
        with pytest.raises(error) as caught:
            player.accompany(Song(480, parts, length=1920))
        messages.append(str(caught.value))
    assert len(set(messages)) == 4


def test_the_nine_voice_kit_plays_nine_notes(tmp_path: Path) -> None:
    take = Drummer.load(save_player(tmp_path, kit="nine")).accompany(strummed(20), Options(temperature=1.5, top_p=1))
    assert_good(take)
    assert set(take.part.pitch.tolist()) <= {36, 38, 49, 43, 47, 50, 51, 46, 42}
    assert len(set(take.part.pitch.tolist())) > 4


def test_the_plain_baseline_plays_too(tmp_path: Path) -> None:
    take = Drummer.load(save_player(tmp_path, "lstm")).accompany(strummed(40))
    assert len(take.part) > 40
    assert_good(take)


def test_an_unknown_model_is_refused_with_the_names_of_the_known_ones() -> None:
    with pytest.raises(UnknownModelError, match="no model 'nobody'"):
        Drummer.load("nobody")


def test_playing_needs_neither_torch_nor_music21_nor_pictures_nor_more_of_numpy_than_arrays(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "song.mid").write_bytes(midi.serialise(strummed()))
    script = (
        "import sys; from seq2drum.cli import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "heavy = {'torch', 'lightning_fabric', 'music21', 'matplotlib', 'onnx', 'rich', 'http.client', 'asyncio'}\n"
        "heavy |= {'logging', 'concurrent.futures', 'difflib', 'numpy.fft', 'numpy.polynomial'}\n"
        "print(sorted(heavy & {*sys.modules, *(name.split('.')[0] for name in sys.modules)}))"
    )
    names = ["--mode", "infer", str(tmp_path / "song.mid"), "--model", str(folder), "-o", str(tmp_path / "drums.mid")]
    done = subprocess.run(
        [sys.executable, "-c", script, *names], check=True, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert midi.read(tmp_path / "drums.mid").parts


needs_default = pytest.mark.skipif(
    "default" not in available(), reason="needs the default model in seq2drum/checkpoints"
)


@needs_default
@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.mid")), ids=lambda path: path.stem)
def test_the_shipped_model_plays_to_every_example(path: Path) -> None:
    take = Drummer.load().accompany(path)
    assert_good(take)
    bars = take.song.bars()
    assert len(take.part) > 4 * len(bars)
    assert {36, 38, 37} & set(take.part.pitch.tolist())
    played = np.unique(np.searchsorted([bar.end for bar in bars], take.part.onset, "right"))
    assert len(played) >= 0.9 * len(bars)


@needs_default
def test_the_shipped_model_is_small_and_has_a_card() -> None:
    folder = find("default")
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 10_000_000
    assert len((folder / "card.md").read_text(encoding="utf-8")) > 500
    assert isinstance(engine.load(), Engine)


# --- what a musician asks for -----------------------------------------------------------------------------------------


def with_drums(bars: int = 12, every: int = 240) -> Song:
    """A strummed guitar with drums from its second bar on: eighths a few ticks late, and a crash a little early."""
    song = strummed(bars)
    rng = np.random.default_rng(0)
    notes = [
        Note(at + int(rng.integers(0, 9)), 50 + at % 7, int(rng.choice([36, 40, 42, 46])), 40 + at // every % 60)
        for at in range(1920, song.end - 60, every)
    ]
    notes += [Note(at - 9, 70, 57, 101) for at in range(4 * 1920, song.end, 4 * 1920)]
    notes += [Note(5 * 1920 + 333, 20, 27, 77)]  # no piece of the kit
    return replace(song, parts=(*song.parts, Part.of(notes, name="Old Kit", is_drums=True)))


def inside(part: Part, first: int, last: int) -> set[tuple[int, ...]]:
    """The notes of bars of 4/4, counted from 1."""
    rows = part.rows[(part.onset >= (first - 1) * 1920) & (part.onset < last * 1920)]
    return {tuple(row) for row in rows.tolist()}


def test_a_take_names_the_grooves_of_its_sections_in_the_order_in_which_they_come(player: Drummer) -> None:
    song = midi.read(ROOT / "examples" / "seven_eight.mid")
    for asked in ("A=one drop, hat", "B=one drop, hat", "B=one drop, hat,A=bossa-ride"):
        grooves = player.accompany(song, Options(groove=asked)).grooves
        assert [groove.section for groove in grooves] == ["A", "B"]
        assert "one drop, hat" in [groove.title for groove in grooves]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": "polka"}, "no style 'polka'; there are jazz"),
        ({"intensity": 1.1}, "intensity is 1.1, wanted 0 to 1"),
        ({"complexity": -0.1}, "complexity is -0.1"),
        ({"fills": float("nan")}, "fills is nan"),
        ({"humanize": 2}, "humanize is 2"),
        ({"swing": -1}, "swing is -1"),
        ({"prime": -1}, "prime is -1"),
        ({"bars": (0, 4)}, "bars are 0:4, wanted FIRST:LAST"),
        ({"bars": (4, 3)}, "bars are 4:3"),
        ({"bars": (1, 3), "prime": 1}, "leave one of them out"),
        ({"drum_map": "nobody's"}, 'no drum map "nobody\'s"'),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(**options)  # type: ignore[arg-type]


def test_all_drums_but_the_bars_asked_for_stay_as_they_are(player: Drummer) -> None:
    song = with_drums()
    old = song.parts[1]
    for first, last in ((5, 8), (1, 1), (12, 12), (3, 3), (1, 12)):
        new = player.accompany(song, Options(seed=1, bars=(first, last))).part
        assert inside(new, 1, first - 1) == inside(old, 1, first - 1)
        # What is early on the downbeat after the last bar belongs to that downbeat.
        assert inside(new, last + 1, 12) == inside(old, last + 1, 12)
        early = {row for row in inside(old, first, last) if row[0] >= last * 1920 - 9 and row[2] == 57}
        assert early <= inside(new, first, last)
        assert inside(new, first, last) != inside(old, first, last)
        assert new == Part.of(np.unique(new.rows, axis=0), name="Drums", is_drums=True)


def test_bars_made_again_go_on_from_those_before_and_differ_with_the_seed(player: Drummer) -> None:
    song = with_drums()
    takes = [player.accompany(song, Options(seed=seed, bars=(6, 7))).part for seed in (1, 1, 2)]
    assert takes[0] == takes[1]
    assert takes[0] != takes[2]
    old = song.parts[1]
    rows = old.rows[old.onset >= 5 * 1920]
    other = replace(song, parts=(song.parts[0], Part.of(rows, name="Old Kit", is_drums=True)))
    assert inside(player.accompany(other, Options(seed=1, bars=(6, 7))).part, 6, 7) != inside(takes[0], 6, 7)


def test_bars_made_again_do_not_strike_twice_what_was_struck_early_on_their_downbeat(player: Drummer) -> None:
    for seed in range(6):
        part = player.accompany(with_drums(), Options(seed=seed, temperature=1.5, top_p=1, bars=(5, 6))).part
        crashes = part.onset[np.isin(part.pitch, [49, 57, 55, 52])]
        near = crashes[(crashes > 4 * 1920 - 60) & (crashes < 4 * 1920 + 40)]
        assert near.tolist() == [4 * 1920 - 9]


def test_the_bars_must_be_in_the_song_and_the_song_must_have_drums(player: Drummer) -> None:
    with pytest.raises(OptionError, match="bars are 12:13, but the song has 12"):
        player.accompany(with_drums(), Options(bars=(12, 13)))
    for options in (Options(bars=(1, 2)), Options(prime=1)):
        with pytest.raises(OptionError, match="no drums to keep"):
            player.accompany(strummed(), options)


def test_a_take_that_is_primed_begins_with_the_files_own_first_drum_bars(player: Drummer) -> None:
    song = with_drums()
    in_kit = Part.of(song.parts[1].rows[song.parts[1].pitch != 27], name="Drums", is_drums=True)
    for count in (1, 3):
        take = player.accompany(song, Options(seed=4, prime=count))
        until = 1 + count  # the drums come in with the second bar
        assert inside(take.part, 1, until) == inside(in_kit, 1, until)
        assert inside(take.part, until + 1, 12) != inside(in_kit, until + 1, 12)
        assert len(inside(take.part, until + 1, 12)) > 12
    assert player.accompany(song, Options(prime=50)).part == in_kit


def test_what_a_take_is_primed_with_is_remembered(player: Drummer) -> None:
    song = with_drums()
    other = replace(song, parts=(song.parts[0], with_drums(every=480).parts[1]))
    one, another = (player.accompany(each, Options(prime=2)).part for each in (song, other))
    assert inside(one, 4, 12) != inside(another, 4, 12)


def test_a_stream_is_the_take_bar_by_bar_also_where_some_of_it_stays(player: Drummer) -> None:
    for options in (
        Options(bars=(5, 6)),
        Options(prime=3),
        Options(humanize=1.0, swing=0.5, groove="rock-hat"),
        Options(drum_map="avl-drumkits", groove="rock-hat"),
    ):
        song = with_drums()
        bars = list(player.stream(song, options))
        assert [bar.bar for bar in bars] == list(song.bars())
        rows = np.concatenate([bar.part.rows for bar in bars])
        assert Part.of(rows, name="Drums", is_drums=True) == player.accompany(song, options).part


def test_long_bars_are_primed_and_made_again_as_they_are_counted(player: Drummer) -> None:
    song = strummed(4, [Metre(0, 16, 1)])
    old = Part.of([Note(at, 60, 36, 90) for at in range(0, song.end - 60, 480)], name="Old Kit", is_drums=True)
    length = 64 * 480
    take = player.accompany(replace(song, parts=(*song.parts, old)), Options(bars=(2, 3)))
    outside = [row for row in take.part.rows.tolist() if not length <= row[0] < 3 * length]
    assert outside == [row for row in old.rows.tolist() if not length <= row[0] < 3 * length]
    primed = player.accompany(replace(song, parts=(*song.parts, old)), Options(prime=1))
    assert [row for row in primed.part.rows.tolist() if row[0] < length] == old.rows[old.onset < length].tolist()


def test_a_drum_map_moves_the_take_to_a_samplers_notes_and_nothing_else(player: Drummer) -> None:
    plain = player.accompany(strummed(), Options(seed=2, groove="rock-hat"))
    moved = player.accompany(strummed(), Options(seed=2, groove="rock-hat", drum_map="addictive-drums-2"))
    assert moved.part == drum_maps.load("addictive-drums-2").apply(plain.part)
    assert moved.part != plain.part
    there = {
        voice.notes[0]
        for voice, notes in zip(FULL.voices, drum_maps.load("addictive-drums-2").notes, strict=True)
        if notes
    }
    kept = plain.part.rows[np.isin(plain.part.pitch, list(there))]
    assert moved.standard_part == Part.of(kept, name="Drums", is_drums=True)


def test_drums_that_stay_are_on_the_samplers_notes_already(player: Drummer) -> None:
    song = strummed()
    rimshots = Part.of([Note(at, 60, 37, 90) for at in range(0, song.end - 60, 480)], name="Kit", is_drums=True)
    take = player.accompany(
        replace(song, parts=(*song.parts, rimshots)), Options(bars=(3, 4), drum_map="addictive-drums-2")
    )
    assert inside(take.part, 1, 2) == inside(rimshots, 1, 2)
    assert inside(take.standard_part, 1, 2) == {(at, 60, 38, 90) for at in range(0, 2 * 1920, 480)}


def test_pieces_that_a_sampler_lacks_are_told_with_what_plays_them(player: Drummer) -> None:
    plain = player.accompany(strummed(), Options(seed=2, groove="rock-hat", pieces="all"))
    moved = player.accompany(strummed(), Options(seed=2, groove="rock-hat", pieces="all", drum_map="alesis-nitro"))
    nitro = drum_maps.load("alesis-nitro")
    assert moved.part == nitro.apply(plain.part)
    assert sorted(moved.swaps) == sorted(nitro.swaps(plain.part))
    assert plain.swaps == () != moved.swaps


def test_the_pedal_of_bars_that_stay_stays_and_new_bars_have_their_own(player: Drummer) -> None:
    song = strummed()
    hats = Part.of([Note(at, 60, 42, 90) for at in range(0, song.end - 60, 480)], name="Kit", is_drums=True)
    hats = replace(hats, pedal=np.array([[tick, 33] for tick in range(0, song.end - 60, 240)]))
    song = replace(song, parts=(*song.parts, hats))
    take = player.accompany(song, Options(bars=(3, 4), drum_map="roland-td"))
    old = [row for row in take.part.pedal.tolist() if not 2 * 1920 <= row[0] < 4 * 1920]
    assert old == [row for row in hats.pedal.tolist() if not 2 * 1920 <= row[0] < 4 * 1920]
    new = {tick: value for tick, value in take.part.pedal.tolist() if 2 * 1920 <= tick < 4 * 1920}
    inside = (take.part.onset >= 2 * 1920) & (take.part.onset < 4 * 1920)
    struck = take.part.onset[inside & np.isin(take.part.pitch, (42, 44, 46))]
    assert set(new) == set(struck.tolist()) and set(new.values()) <= {0, 90}
    with_guitar = midi.parse(take.to_bytes(with_guitar=True))
    assert with_guitar.parts[-1].pedal.tolist() == take.part.pedal.tolist()


def test_stiff_is_on_the_lattice_and_human_is_not(player: Drummer) -> None:
    stiff, human = (player.accompany(strummed(), Options(seed=1, humanize=amount)).part for amount in (0.0, 1.0))
    assert set((stiff.onset % 480).tolist()) <= {0, 120, 160, 240, 320, 360}
    assert len(set((human.onset % 480).tolist())) > 12
    assert len(np.unique(human.velocity)) > 20
    again = player.accompany(strummed(), Options(seed=1, humanize=1.0)).part
    assert again == human


def test_a_human_bar_is_as_loud_as_the_model_means_it_to_be(player: Drummer) -> None:
    own, human = (list(player.stream(strummed(), Options(seed=1, humanize=amount))) for amount in (0.0, 1.0))
    for one, other in zip(own, human, strict=True):
        assert abs(one.part.velocity.mean() - other.part.velocity.mean()) < 5
    assert [bar.part.velocity.tolist() for bar in own] != [bar.part.velocity.tolist() for bar in human]


def test_swing_says_where_the_second_eighth_falls(player: Drummer) -> None:
    places = []
    for amount in (0.0, 0.5, 1.0):
        part = player.accompany(strummed(), Options(seed=1, humanize=0.0, swing=amount)).part
        places.append(set((part.onset % 480).tolist()))
    assert 240 in places[0]
    assert 280 in places[1]
    assert 320 in places[2]


def test_several_takes_are_ranked_and_can_be_made_again(player: Drummer) -> None:
    options = Options(seed=5)
    takes = player.takes(strummed(), options, 4)
    scores = [take.score for take in takes]
    assert None not in scores
    assert scores == sorted(scores, reverse=True)
    assert len({take.options.seed for take in takes}) == 4
    assert [take.part for take in takes if take.options.seed == 5] == [player.accompany(strummed(), options).part]
    for take in takes:
        assert player.accompany(strummed(), take.options).part == take.part
    more = {take.options.seed for take in player.takes(strummed(), options, 6)}
    assert {take.options.seed for take in takes} < more


def test_the_score_of_a_take_does_not_depend_on_the_takes_beside_it(player: Drummer) -> None:
    options = Options(seed=5)
    four, two = (player.takes(strummed(), options, count) for count in (4, 2))
    scores = {take.options.seed: take.score for take in four}
    assert [scores[take.options.seed] for take in two] == [take.score for take in two]


def test_fills_are_free_unless_a_temperature_is_asked_for() -> None:
    assert Options(seed=3, top_p=0.9).sampling == Sampling(3, 1.0, 0.9, 1.0)
    assert Options(temperature=0).sampling == Sampling(0, 0.0, 0.99, None)


def test_one_take_is_the_take(player: Drummer) -> None:
    (take,) = player.takes(strummed(), Options(seed=3), 1)
    assert take == player.accompany(strummed(), Options(seed=3))
    assert take.score is None
    for count in (0, -1, 1001):
        with pytest.raises(OptionError, match=f"{count} takes"):
            player.takes(strummed(), count=count)


def test_a_take_explains_itself_by_the_bars_of_the_song(player: Drummer) -> None:
    explanations = player.accompany(with_drums(), Options(prime=2)).explain()
    assert explanations
    assert explanations[0].first == 1
    assert all(1 <= said.first <= said.last <= 12 for said in explanations)
    long = player.accompany(strummed(3, [Metre(0, 16, 1)])).explain()
    assert all(1 <= said.first <= said.last <= 3 for said in long)


# --- long rests -------------------------------------------------------------------------------------------------------


def two_notes(bars: int, length: int = 0) -> Song:
    """A guitar that plays in the first and in the last of some bars, and in none between."""
    notes = [Note(bar * 1920 + 240 * eighth, 240, 52, 90) for bar in (0, bars - 1) for eighth in range(8)]
    return Song(480, (Part.of(notes, program=27, name="Guitar"),), length=max(length, bars) * 1920)


def opened(player: Drummer, song: Song) -> tuple[int, list[int]]:
    """How many bars the model is asked to open for a song, and the hits of each bar."""
    guitar, options = player.listen(song)
    asked, answer, hits, playing = 0, None, [], player.bars(guitar, choose(guitar, options))
    while True:
        try:
            item = playing.send(answer)
        except StopIteration:
            return asked, hits
        answer = None
        if isinstance(item, engine.GraphCall):
            asked += item.graph == "bar"
            answer = player.engine.compute(item)
        else:
            hits.append(len(item.part))


def test_bars_far_from_any_note_cost_nothing_and_the_drummer_is_silent_in_them(player: Drummer) -> None:
    asked, hits = opened(player, two_notes(300))
    assert asked == STOPS_AFTER + 2
    assert len(hits) == 300 and not any(hits[STOPS_AFTER + 1 : -1])
    assert hits[0] and hits[-1] and sum(map(bool, hits[:STOPS_AFTER])) > STOPS_AFTER // 2
    assert_good(player.accompany(two_notes(300)))


def test_a_rest_as_long_as_those_of_real_songs_is_played_through(player: Drummer) -> None:
    asked, hits = opened(player, two_notes(60))
    assert asked == 60 and sum(map(bool, hits)) > 30


def test_bars_after_the_last_note_are_silent_and_cost_nothing(player: Drummer) -> None:
    asked, hits = opened(player, two_notes(10, length=400))
    assert asked == 10 and len(hits) == 400 and not any(hits[10:])
