"""A band's own drummer: the files that are understood, what is learnt of them, its folder, and how it plays."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from seq2drum.data.corpus.cache import save
from seq2drum.errors import CheckpointError, CorpusError, UnknownModelError
from seq2drum.formats.midi import midi
from seq2drum.lattice.conditions import drums_of
from seq2drum.learn.adapt import band, judging, playing, songs, takes, ways
from seq2drum.models import checkpoint
from seq2drum.music.notes import Marker, Song
from seq2drum.play.checkpoint.band import FILES, TUNED, Band, Ways, is_checked, read_band, ways_of
from seq2drum.play.checkpoint.folder import CONFIG, find, seal
from seq2drum.play.decode import engine
from seq2drum.play.drummer import Drummer
from seq2drum.play.grooves.book import Book
from seq2drum.play.options import Options
from server import convert
from tests.conftest import ROOT

TRAINING = ROOT / "examples" / "training"
FUNK = [TRAINING / "funk_1.mid", TRAINING / "funk_2.mid", TRAINING / "rock_riff_1.mid"]


def song_of(name: str) -> Song:
    return midi.parse((TRAINING / f"{name}.mid").read_bytes())


def heard_of(song: Song, name: str = "song.mid") -> songs.Heard:
    (heard,) = songs.hear_files([(name, midi.serialise(song))])
    return heard


def made_of(folder: Path, files: list[Path] = FUNK) -> Path:
    known = songs.understood(songs.hear(files))
    band.save(folder, band.band_of("the band", known), known)
    return folder


@pytest.fixture(scope="module")
def drummer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_of(tmp_path_factory.mktemp("band") / "drummer")


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_without_drums_or_without_a_guitar_is_left_out_and_told() -> None:
    song = song_of("funk_1")
    without_drums = replace(song, parts=tuple(part for part in song.parts if not part.is_drums))
    without_guitar = replace(song, parts=tuple(part for part in song.parts if part.is_drums))
    files = [("a.mid", midi.serialise(without_drums)), ("b.mid", midi.serialise(without_guitar)), ("c.mid", b"no MIDI")]
    found = songs.hear_files(files)
    assert [each.song for each in found] == [None] * 3
    assert "no drums" in found[0].remark and "channel 10" in found[0].remark
    assert "guitar" in found[1].remark or "notes" in found[1].remark
    assert "not a readable song" in found[2].remark
    with pytest.raises(CorpusError, match="none of 3 files") as told:
        songs.understood(found)
    assert all(f"{name}: left out" in str(told.value) for name in "abc")


def test_drums_on_another_channel_are_known_by_the_name_of_their_track() -> None:
    song = song_of("funk_1")
    moved = tuple(replace(part, is_drums=False, name="Drum Kit") if part.is_drums else part for part in song.parts)
    heard = heard_of(replace(song, parts=moved))
    assert heard.song is not None and "'Drum Kit' is taken for them" in heard.remark
    plain = heard_of(song).song
    assert plain is not None and np.array_equal(heard.song.drums.key, plain.drums.key)
    nameless = tuple(replace(part, is_drums=False, name="Track 3") if part.is_drums else part for part in song.parts)
    assert heard_of(replace(song, parts=nameless)).song is None


def test_of_twenty_copies_of_a_song_one_stays() -> None:
    song = song_of("rock_riff_1")
    files = [(f"{number}.mid", midi.serialise(replace(song, length=song.end + number))) for number in range(20)]
    found = songs.hear_files(files)
    assert sum(each.song is not None for each in found) == 1
    assert sum("a copy of" in each.remark for each in found) == 19


def test_too_many_files_are_refused_before_any_is_read(tmp_path: Path) -> None:
    for number in range(songs.MOST_SONGS + 1):
        (tmp_path / f"{number}.mid").touch()
    with pytest.raises(CorpusError, match="401 songs are too many"):
        songs.hear([tmp_path])


# --- what is learnt ---------------------------------------------------------------------------------------------------


def test_grooves_have_the_names_of_songs_and_sections(drummer: Path) -> None:
    learnt, base = read_band(drummer)
    assert base == find("default") and learnt.titles == ("funk 1", "funk 2", "rock riff 1")
    shares = [sum(own.share for own in learnt.grooves if own.song == number) for number in range(3)]
    assert shares == pytest.approx([1, 1, 1], abs=1e-3)
    assert {own.groove.title.partition(",")[0] for own in learnt.grooves} == set(learnt.titles)
    song = song_of("funk_1")
    named = replace(song, markers=(Marker(0, "Verse", True), Marker(song.bars()[8].start, "Chorus", True)))
    (own,) = songs.understood([heard_of(named, "my_song.mid")])
    titles = {each.groove.title for each in band.band_of("band", [own]).grooves}
    assert titles <= {"my song, verse", "my song, chorus"} and titles


def test_one_song_moves_a_drummer_less_than_ten() -> None:
    (own,) = songs.understood([heard_of(song_of("funk_1"))])
    one = band.band_of("band", [own])
    ten = Band(one.name, tuple(map(str, range(10))), one.grooves, one.prior, one.ways)
    assert one.trust == pytest.approx(8 / 9) and ten.trust == pytest.approx(8 / 18)


def test_a_band_that_rests_more_than_expected_waits_more_and_the_other_way_round() -> None:
    likely = np.full(40, 0.3)
    rests = (np.arange(40) % 10 < 8).astype(float)
    assert ways.shift_of(rests, likely) > 1
    assert ways.shift_of(0 * rests, likely) < -1
    assert abs(ways.shift_of((np.arange(40) % 10 < 3).astype(float), likely)) < 0.01
    few = ways.shift_of(rests[:2], likely[:2])
    assert 0 < few < ways.shift_of(np.ones(40), likely)


def test_the_ways_of_a_band_are_within_what_a_drummer_accepts(drummer: Path) -> None:
    learnt, _ = read_band(drummer)
    assert learnt.ways != Ways() and ways_of(None) == Ways()
    assert learnt.ways.fills is not None and 0 <= learnt.ways.fills <= 1


# --- the folder -------------------------------------------------------------------------------------------------------


def test_a_drummer_is_refused_with_another_version_of_its_model(drummer: Path, tmp_path: Path) -> None:
    other = shutil.copytree(drummer, tmp_path / "other")
    about = json.loads((other / CONFIG).read_text())
    about["base"]["sha256"] = "0" * 64
    (other / CONFIG).write_text(json.dumps(about))
    seal(other, FILES)
    with pytest.raises(CheckpointError, match="another version of the model 'default'"):
        engine.load(other)
    about["base"]["model"] = "nobody"
    (other / CONFIG).write_text(json.dumps(about))
    seal(other, FILES)
    with pytest.raises(UnknownModelError, match="plays through the model 'nobody'"):
        engine.load(other)


@pytest.mark.parametrize(
    "change",
    [
        {"songs": []},
        {"prior": 0},
        {"grooves": [{}]},
        {"ways": {"waits": 99}},
        {"format": 9},
        {"kind": "ranker"},
        {"grooves": None},
    ],
)
def test_a_damaged_drummer_is_refused_in_a_sentence(drummer: Path, tmp_path: Path, change: dict[str, object]) -> None:
    other = shutil.copytree(drummer, tmp_path / "other")
    about = json.loads((other / CONFIG).read_text())
    (other / CONFIG).write_text(json.dumps(about | change))
    seal(other, FILES)
    with pytest.raises(CheckpointError, match="not a usable"):
        engine.load(other)


def test_a_changed_byte_of_a_drummer_is_found(drummer: Path, tmp_path: Path) -> None:
    other = shutil.copytree(drummer, tmp_path / "other")
    (other / CONFIG).write_text((other / CONFIG).read_text().replace("the band", "The band"))
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        engine.load(other)


# --- playing ----------------------------------------------------------------------------------------------------------


def test_a_drummer_plays_its_bands_grooves_where_they_fit_and_the_same_twice(drummer: Path) -> None:
    own = Drummer.load(drummer)
    assert own.engine.band is not None
    takes = [own.accompany(TRAINING / "funk_1.mid", Options(seed=seed)) for seed in (0, 0)]
    assert takes[0].part == takes[1].part
    assert {groove.name for groove in takes[0].grooves} <= own.engine.band.by_name.keys()
    assert takes[0].part != Drummer.load().accompany(TRAINING / "funk_1.mid").part
    bossa = {groove.name for groove in own.accompany(TRAINING / "bossa_nova_1.mid").grooves}
    assert not bossa & own.engine.band.by_name.keys()  # a band of funk and rock knows none


def test_a_groove_of_the_band_can_be_asked_for_by_name(drummer: Path) -> None:
    own = Drummer.load(drummer)
    assert own.engine.band is not None
    name = own.engine.band.grooves[0].groove.name
    take = own.accompany(TRAINING / "rock_riff_2.mid", Options(groove=name))
    assert {groove.name for groove in take.grooves} == {name}


def test_the_book_of_a_band_has_the_grooves_of_all_and_its_own_with_names_of_their_own(drummer: Path) -> None:
    learnt, _ = read_band(drummer)
    clash = replace(learnt.grooves[0].groove, name=Book.load().grooves[0].name)
    twin = replace(learnt, grooves=(learnt.grooves[0]._replace(groove=clash), *learnt.grooves[1:]))
    book = Book.of(twin)
    names = [groove.name for groove in book]
    assert len(book) == len(Book.load()) + len(learnt.grooves) and len(set(names)) == len(names)
    assert Book.of(None) is Book.load()


@pytest.mark.slow
def test_tuned_tensors_play_as_a_model_that_was_saved_with_them(drummer: Path, tmp_path: Path) -> None:
    model, about = checkpoint.load(find("default"))
    own = playing.parameters_of(model, find("default"))
    torch.manual_seed(1)
    with torch.no_grad():
        for value in own.values():
            value.add_(0.05 * torch.randn_like(value))
    checkpoint.save(model, tmp_path / "whole", about)
    tuned = shutil.copytree(drummer, tmp_path / "tuned")
    config = json.loads((tuned / CONFIG).read_text())
    (tuned / CONFIG).write_text(json.dumps(config | {"is_tuned": True}))
    save_file(playing.snapshot(own), tuned / TUNED)
    seal(tuned, FILES)
    learnt = Drummer.load(tuned)
    whole = Drummer(replace(engine.load(tmp_path / "whole"), band=learnt.engine.band))
    take = learnt.accompany(TRAINING / "rock_riff_2.mid").part
    assert take == whole.accompany(TRAINING / "rock_riff_2.mid").part
    assert take != Drummer.load(drummer).accompany(TRAINING / "rock_riff_2.mid").part
    weights, _ = checkpoint.load(tuned)
    assert all(torch.equal(value, weights.state_dict()[name]) for name, value in model.state_dict().items())
    # A tensor that fits nothing is refused.
    save_file({"think.bias": np.zeros(3, np.float32)}, tuned / TUNED)
    seal(tuned, FILES)
    with pytest.raises(CheckpointError, match="wanted"):
        engine.load(tuned)


@pytest.mark.slow
def test_tuning_makes_a_left_out_song_likelier_or_changes_nothing() -> None:
    known = [each.song for each in songs.hear(FUNK) if each.song is not None]
    tuned = playing.tune(known, 0.1, threads=1)
    if tuned is not None:
        assert tuned.nats is not None and tuned.nats[1] < tuned.nats[0]
        assert sum(each.nbytes for each in tuned.tensors.values()) < 100_000


# --- judging ----------------------------------------------------------------------------------------------------------


def test_grooves_that_a_band_plays_itself_agree_with_its_song(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = [each.song for each in songs.hear(FUNK) if each.song is not None]
    sides = [replace(song, split=split) for song, split in zip(known, ("test", "train", "train"), strict=True)]
    bands = judging.bands_of(sides, ["Funk", "Nobody"])
    assert [len(bands[name]) for name in ("Funk", "Nobody")] == [2, 0]
    usual, own = judging.judged(bands, 1, draws=1)
    assert len(usual) == len(own) == 1 and 0 < own[0] <= 1
    assert len(judging.judged(bands, 2)[0]) == 0  # there is one other song alone
    everything = band.band_of("band", songs.understood(songs.hear(FUNK[:1])))
    assert judging.agreement(sides[0], replace(everything, prior=0.01)) > usual[0]
    save(sides, tmp_path / "songs.s2d")
    words = ["--cache", str(tmp_path / "songs.s2d"), "--artist", "Funk", "--known", "1"]
    assert judging.main(words) == 0 and "1 songs known, 1 played to" in capsys.readouterr().out
    assert judging.main([*words[:3], "Nobody"]) == 2


def test_an_origin_names_a_band_as_well() -> None:
    known = [each.song for each in songs.hear(FUNK) if each.song is not None]
    made = [replace(song, origin="my band; CC0") for song in known[:2]]
    assert [len(own) for own in judging.bands_of([*made, known[2]], ["my band", "Rock"]).values()] == [2, 1]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[takes.Row]:
    folder = tmp_path_factory.mktemp("takes")
    known = [each.song for each in songs.hear([TRAINING]) if each.song is not None]
    sides = [replace(song, split="test" if "funk_1" in song.path else "train") for song in known]
    save(sides, folder / "songs.s2d")
    words = ["--cache", str(folder / "songs.s2d"), "--artist", "Funk", "--known", "1", "3"]
    assert takes.main([*words, "--json", str(folder / "takes.json")]) == 0
    rows: list[takes.Row] = json.loads((folder / "takes.json").read_text())
    return rows


def test_whole_takes_of_a_band_are_judged_beside_the_default_and_the_real_drums(judged: list[takes.Row]) -> None:
    by_name = {row["drummer"]: row for row in judged}
    assert {takes.REAL, takes.USUALLY, takes.NEAREST, "1", "all", takes.GROOVES_ALONE} <= by_name.keys()
    real, usual, own = (by_name[name] for name in (takes.REAL, takes.USUALLY, "all"))
    assert real["f1"] == 1 and 0 < usual["f1"] < 1 and 0 < own["f1 plain"] <= 1
    assert usual["free nats"] == own["free nats"], "the network is the same"
    assert usual["nats"] != own["nats"], "the grooves are not"
    assert all(0 <= row["copies"] <= 1 and row["distance"] >= 0 for row in judged)
    assert 0 <= real["further"] <= 1 and 0 <= real["less alike"] <= 1
    lines = takes.table(judged)
    assert "all: 1 songs of 1 bands" in lines and any(line.startswith("  nats") for line in lines)


def test_intervals_of_takes_are_over_bands_and_draws_of_a_song_are_averaged() -> None:
    def row(band: str, drummer: str, f1: float) -> takes.Row:
        return {"band": band, "song": "x", "drummer": drummer, "f1": f1}

    usual = [row(name, takes.USUALLY, 0.5) for name in "ab"]
    told = takes.table([*usual, row("a", "3", 0.6), row("a", "3", 0.8), row("b", "3", 0.5)])
    (line,) = [line for line in told[told.index("3: 2 songs of 2 bands") :] if line.startswith("  f1:")]
    assert line == "  f1: 0.600, default 0.500; +0.100 (+0.000 to +0.200); lower in 0%, higher in 50%"


def test_the_habits_of_a_band_are_like_its_own_and_far_from_others() -> None:
    known = [each.song for each in songs.hear([TRAINING]) if each.song is not None]
    usual = takes.Habits.of(known)
    read = [usual.read(song, drums_of(song.drums, song.guitar_grid.form)) for song in known]
    first, second = (each for each in read[:2] if each is not None)
    assert takes.likeness(first, first) == pytest.approx(1) and takes.away(first, first) == 0
    assert takes.away(first, second) > 0 and takes.likeness(second, first) < 1
    assert np.isnan(takes.likeness(None, first))


def test_of_a_band_the_song_with_the_same_guitar_is_the_nearest() -> None:
    known = [each.song for each in songs.hear([TRAINING]) if each.song is not None]
    assert takes.nearest(known[0], [*known[2:], known[0]]).path == known[0].path


@pytest.mark.slow
def test_what_learns_by_gradients_is_judged_as_well(tmp_path: Path) -> None:
    known = [each.song for each in songs.hear(FUNK) if each.song is not None]
    who = list(takes.learners(known, 0.02, tmp_path))
    assert who[-1].name == takes.TRAINED
    assert all(np.isfinite(takes.nats_of(known[0], each)).all() for each in who)


def test_a_service_lists_a_drummer_by_its_name_and_its_songs(drummer: Path) -> None:
    info = convert.model_info("mine", drummer)
    assert info.id == "mine" and info.description.startswith("the band, learnt from 3 songs")
    assert is_checked(drummer) and is_checked(find("default"))
