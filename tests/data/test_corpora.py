"""Named corpora, and drums named by their tracks and files."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum.data.corpus import build, reading
from seq2drum.data.corpus.copies import Candidate
from seq2drum.data.corpus.corpora import (
    ANY,
    COLLECTION,
    CORPORA,
    Item,
    Licences,
    is_clean,
    items_of,
    licence_of,
    source_of,
)
from seq2drum.data.corpus.parquet import Row
from seq2drum.data.corpus.parts import parts_of
from seq2drum.data.corpus.reading import RULES, bpm_of, named_drums, piece_of, piece_of_file, read_song
from seq2drum.data.drums import beats, loops
from seq2drum.errors import CorpusError
from seq2drum.formats.midi import midi
from seq2drum.music.kit import FULL, NINE
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from tests.conftest import ROOT
from tests.players import strummed

# --- named corpora: songs, licences and groups as their metadata states them, on small stand-ins of their layouts -----

SONGS = sorted((ROOT / "examples" / "training").glob("*_1.mid"))
MSD = "TROOHTB128F931F9DF"


def table(path: Path, *rows: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def put(number: int, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(SONGS[number], path)
    return path


def pdmx(folder: Path) -> Path:
    """Three scores: one in the public domain, one under CC0 of which there is a better version, one in doubt."""
    stated = [("publicdomain", "True", "a"), ("cc-zero", "True", "a"), ("cc-zero", "False", "c")]
    rows = []
    for number, (licence, agreed, best) in enumerate(stated):
        name = "abc"[number]
        put(number, folder / "mid" / "1" / f"{name}.mid")
        rows.append(
            {
                "path": f"./data/1/{name}.json",
                "mid": f"./mid/1/{name}.mid",
                "license": licence,
                "subset:no_license_conflict": agreed,
                "best_path": f"./data/1/{best}.json",
            }
        )
    rows.append({**rows[0], "mid": "../../outside.mid"})
    table(folder / "PDMX.csv", *rows)
    return folder


def slakh(folder: Path) -> Path:
    """Two tracks: one that was matched to a song, and one of which only the file in Lakh is known."""
    for number, told in enumerate(
        (f"UUID: 1a81\nlmd_midi_dir: lmd_matched/O/O/H/{MSD}/1a81.mid\nstems:\n  S00:\n    UUID: no", "UUID: 2b92\n")
    ):
        path = put(number, folder / "train" / f"Track0000{number}" / "all_src.mid")
        put(number, path.parent / "MIDI" / "S00.mid")
        (path.parent / "metadata.yaml").write_text(told)
    return folder


def lakh(folder: Path) -> Path:
    """A file that matches two songs, one in the folder of a song, and one that matches none."""
    put(0, folder / "lmd_full" / "1" / "1a81.mid")
    put(1, folder / "lmd_matched" / "A" / "B" / "C" / "TRABCTB128F931F9DF" / "3c.mid")
    put(2, folder / "lmd_full" / "2" / "2b92.mid")
    (folder / "match_scores.json").write_text(json.dumps({"TRLESS0128F931F9DF": {"1a81": 0.5}, MSD: {"1a81": 0.7}}))
    return folder


def groove(folder: Path) -> Path:
    rows = []
    for number, session in enumerate(("drummer1/eval_session", "drummer2/eval_session", "drummer1/session1")):
        name = f"{session}/{number}.mid"
        put(number, folder / name)
        rows.append({"id": name[:-4], "session": session, "style": "funk/groove1", "midi_filename": name})
    table(folder / "info.csv", *rows)
    return folder


LAYOUTS = {
    "pdmx": (
        pdmx,
        [
            Item("mid/1/a.mid", "public domain", "pdmx:a"),
            Item("mid/1/b.mid", "CC0", "pdmx:a"),
            Item("mid/1/c.mid", "unknown", "pdmx:c"),
        ],
    ),
    "slakh": (
        slakh,
        [
            Item("train/Track00000/all_src.mid", COLLECTION, f"msd:{MSD}"),
            Item("train/Track00001/all_src.mid", COLLECTION, "lakh:2b92"),
        ],
    ),
    "lakh": (
        lakh,
        [
            Item("lmd_full/1/1a81.mid", COLLECTION, f"msd:{MSD}"),
            Item("lmd_full/2/2b92.mid", COLLECTION, "lakh:2b92"),
            Item("lmd_matched/A/B/C/TRABCTB128F931F9DF/3c.mid", COLLECTION, "msd:TRABCTB128F931F9DF"),
        ],
    ),
    "groove": (
        groove,
        [
            Item("drummer1/eval_session/0.mid", "CC BY 4.0", "groove:funk/groove1"),
            Item("drummer1/session1/2.mid", "CC BY 4.0", "groove:drummer1/session1/2"),
            Item("drummer2/eval_session/1.mid", "CC BY 4.0", "groove:funk/groove1"),
        ],
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_corpus_gives_its_songs_with_their_licences_and_groups(tmp_path: Path, name: str) -> None:
    make, items = LAYOUTS[name]
    assert items_of(CORPORA[name], make(tmp_path / "deep" / name)) == items


@pytest.mark.parametrize("name", CORPORA)
def test_a_folder_that_is_not_laid_out_as_the_corpus_says_what_is_wanted(tmp_path: Path, name: str) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(CorpusError, match=f"no song of {CORPORA[name].title}; {name}:DIR wants a folder with "):
            parts_of([f"{name}:{folder}"])


def test_a_table_without_a_column_and_one_that_is_no_text_are_named(tmp_path: Path) -> None:
    table(tmp_path / "info.csv", {"id": "1"})
    with pytest.raises(CorpusError, match=r"info\.csv' has no column 'midi_filename'"):
        items_of(CORPORA["groove"], tmp_path)
    (tmp_path / "PDMX.csv").write_bytes(b"mid,license,subset:no_license_conflict\n\xff\xfe,,\n")
    with pytest.raises(CorpusError, match=r"PDMX\.csv' cannot be read"):
        items_of(CORPORA["pdmx"], tmp_path)
    (tmp_path / "match_scores.json").write_text("[" * 100_000)
    with pytest.raises(CorpusError, match=r"match_scores\.json' is not the table of matches"):
        items_of(CORPORA["lakh"], tmp_path)
    (tmp_path / "match_scores.json").write_text("[1]")
    with pytest.raises(CorpusError, match=r"match_scores\.json' is not the table of matches"):
        items_of(CORPORA["lakh"], tmp_path)


def test_only_the_name_of_a_known_corpus_before_a_colon_is_one() -> None:
    assert source_of("lakh:a/b").corpus == CORPORA["lakh"] and source_of("lakh:a/b").path == Path("a/b")
    for word in ("C:/songs", "songs", "lakh:", "other:songs"):
        assert source_of(word) == (Path(word), None)


def test_licences_and_groups_of_a_corpus_reach_the_songs_and_their_sides(tmp_path: Path) -> None:
    songs, account = build.prepare([f"pdmx:{pdmx(tmp_path / 'scores')}"])
    assert {song.path: (song.licence, song.group) for song in songs} == {
        "pdmx/mid/1/a.mid": ("public domain", "manifest:pdmx:a"),
        "pdmx/mid/1/b.mid": ("CC0", "manifest:pdmx:a"),
        "pdmx/mid/1/c.mid": ("unknown", "manifest:pdmx:c"),
    }
    assert [song.origin for song in songs] == ["PDMX; public domain", "PDMX; CC0", "PDMX"]
    assert account.files == account.songs == 3


def test_tables_as_spreadsheets_write_them_are_read(tmp_path: Path) -> None:
    rows = "mid,license,subset:no_license_conflict\na.mid,CC0,True\n"
    (tmp_path / "PDMX.csv").write_text(rows, encoding="utf-8-sig")
    assert items_of(CORPORA["pdmx"], tmp_path) == [Item("a.mid", "CC0", "pdmx:a")]


def test_a_song_of_no_letters_has_a_group_that_can_be_written(tmp_path: Path) -> None:
    put(3, tmp_path / "lmd_full" / "1" / "1a81.mid")
    (tmp_path / "match_scores.json").write_text('{"TR\\ud800": {"1a81": 0.7}}')
    (song,) = build.prepare([f"lakh:{tmp_path}"])[0]
    assert song.group == r"manifest:msd:TR\ud800"


def test_a_song_that_two_corpora_have_is_on_one_side(tmp_path: Path) -> None:
    put(3, tmp_path / "lakh" / "lmd_full" / "1" / "1a81.mid")
    (tmp_path / "lakh" / "match_scores.json").write_text(json.dumps({MSD: {"1a81": 0.7}}))
    songs, _ = build.prepare([f"slakh:{slakh(tmp_path / 'slakh')}", f"lakh:{tmp_path / 'lakh'}"])
    groups = {song.path: song.group for song in songs}
    assert groups["lakh/lmd_full/1/1a81.mid"] == groups["slakh/train/Track00000/all_src.mid"] == f"manifest:msd:{MSD}"


def test_only_songs_under_the_licences_that_were_asked_for_are_kept_and_the_others_counted(tmp_path: Path) -> None:
    data = [f"pdmx:{pdmx(tmp_path / 'scores')}"]
    for names, kept in ((["clean"], {"CC0"}), (["clean", "Public Domain"], {"CC0", "public domain"})):
        songs, account = build.prepare(data, licences=Licences(names))
        assert {song.licence for song in songs} == kept
        assert account.left_out == {build.OTHER_LICENCE: 3 - len(kept)} and account.files == 3
    with pytest.raises(CorpusError, match="no song could be used"):
        build.prepare(data, licences=Licences(["MIT"]))


def test_a_song_that_says_of_itself_that_it_is_clean_is_not() -> None:
    assert licence_of("clean") not in Licences(["clean"])
    assert str(Licences(["clean", "cc-by-4.0"])) == "clean (CC0, CC BY, MIT), CC BY 4.0" and str(ANY) == "any"


def test_what_a_manifest_states_in_words_of_its_own_is_not_clean(tmp_path: Path) -> None:
    stated = {0: "CC-BY-4.0", 1: "CC BY 4.0 repo; songs third-party", 2: "MIT repo; test songs third-party", 3: ""}
    rows = []
    for number, licence in stated.items():
        path = put(number, tmp_path / "songs" / f"{number}.mid")
        rows.append({"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "group": "", "licence": licence})
    table(tmp_path / "songs" / "manifest.csv", *rows)
    songs, _ = build.prepare([tmp_path / "songs"])
    assert [song.licence for song in songs] == ["CC BY 4.0", *list(stated.values())[1:3], "unknown"]
    assert [song.path for song in build.prepare([tmp_path / "songs"], licences=Licences(["clean"]))[0]] == [
        "songs/0.mid"
    ]


@pytest.mark.parametrize(
    ("stated", "licence", "clean"),
    [
        ("cc-zero", "CC0", True),
        ("CC0 1.0", "CC0", True),
        ("CC BY", "CC BY", True),
        ("cc-by-3.0", "CC BY 3.0", True),
        ("Creative Commons Attribution 4.0 International", "CC BY 4.0", True),
        ("The MIT License", "MIT", True),
        ("publicdomain", "public domain", False),
        ("CC BY-SA 4.0", "CC BY-SA 4.0", False),
        ("CC BY-NC 4.0", "CC BY-NC 4.0", False),
        ("CC BY 4.0 of the collection", "CC BY 4.0 of the collection", False),
        ("  ", "unknown", False),
        (None, "unknown", False),
        ("unknown", "unknown", False),
        ("clean?", "clean?", False),
    ],
)
def test_a_licence_has_one_spelling_and_is_clean_or_not(stated: str | None, licence: str, clean: bool) -> None:
    assert licence_of(stated) == licence
    assert is_clean(licence) == clean == (licence in Licences(["clean"]))
    assert licence in ANY and licence in Licences([licence])


# --- drums that only their names tell: which words mean which piece, and what becomes of their notes ------------------


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("01_Kick", "kick"),
        ("Hi_Hat 2", "closed hat"),
        ("HiHat03", "closed hat"),
        ("snare_85bpm", "snare"),
        ("Snare85", "snare"),
        ("SNARE ROLL", "snare"),
        ("Open_Hi-Hat", "open hat"),
        ("hat open 4", "open hat"),
        ("OHH_1", "open hat"),
        ("HH-closed", "closed hat"),
        ("hh pedal", "pedal hat"),
        ("Bass Drum", "kick"),
        ("bd-12", "kick"),
        ("Floor Tom", "low tom"),
        ("Tom1", "high tom"),
        ("tom_02", "mid tom"),
        ("Toms", "mid tom"),
        ("Ride Bell", "bell"),
        ("ride", "ride"),
        ("Crash 16 inch", "crash"),
        ("Rimshot", "side stick"),
        ("Clap_90", "clap"),
        ("cowbell", "cowbell"),
        ("Bass", None),
        ("Piano", None),
        ("Shatter", None),
        ("What a ballad", None),
        ("", None),
    ],
)
def test_a_name_means_a_piece(name: str, piece: str | None) -> None:
    assert piece_of(name) == piece


def test_every_rule_is_for_a_piece_of_the_kit() -> None:
    assert {piece for piece, _ in RULES} <= set(FULL.names)


def test_a_file_is_named_by_itself_and_else_by_the_folder_around_it() -> None:
    assert piece_of_file("loops/Kicks/03.mid") == "kick"
    assert piece_of_file("loops/Kicks/03_snare.mid") == "snare"
    assert piece_of_file("loops/03.mid") is None


def test_a_name_says_a_tempo() -> None:
    names = ("a/snare_85bpm.mid", "hat 97.5 BPM.mid", "kick 85.mid", "x_0bpm.mid", "00bpm")
    assert [bpm_of(name) for name in names] == [85.0, 97.5, None, None, None]


def struck(*ticks: int, pitch: int = 60, name: str = "", is_drums: bool = False) -> Part:
    return Part.of([Note(tick, 100, pitch, 90) for tick in ticks], name=name, is_drums=is_drums)


def test_parts_of_any_note_and_channel_become_one_kit() -> None:
    song = Song(480, (struck(0, 960, name="Kick"), struck(480, pitch=72, name="My Snare"), struck(0, name="Piano")))
    drums = named_drums(song)
    assert drums is not None and drums.is_drums
    assert sorted(zip(drums.onset.tolist(), drums.pitch.tolist(), strict=True)) == [(0, 36), (480, 38), (960, 36)]


def test_a_part_without_a_name_is_what_its_file_is_called() -> None:
    for part in (struck(0, 480, pitch=24), struck(0, 480, pitch=60, is_drums=True)):
        drums = named_drums(Song(480, (part,)), "kit/Hi_Hat 2.mid")
        assert drums is not None and set(drums.pitch.tolist()) == {42}


def test_a_kit_on_channel_10_stays_and_one_name_alone_is_not_believed() -> None:
    kit = Part.of([Note(0, 10, 36, 90), Note(0, 10, 38, 90)], is_drums=True)
    assert named_drums(Song(480, (kit,)), "kit/hats.mid") is None
    assert named_drums(Song(480, (struck(0, name="Ride"),))) is None
    assert named_drums(Song(480, (struck(0, name="Guitar"),)), "kit/song.mid") is None
    tune = Part.of([Note(at * 480, 10, 60 + at, 90) for at in range(12)])
    assert named_drums(Song(480, (tune,)), "Hats off.mid") is None
    assert named_drums(Song(480, (struck(0), struck(0, pitch=50))), "Hats off.mid") is None


def test_a_song_whose_drums_are_tracks_of_their_own_can_be_learnt_from() -> None:
    song = strummed()
    beat = {"Kick": 0, "Snare": 480, "Hi Hat": 240}
    tracks = [struck(*range(at, song.length, 960), name=name) for name, at in beat.items()]
    data = midi.serialise(replace(song, parts=(*song.parts, *tracks)))
    read = read_song(Row("songs/song.mid", "", data, "", ""))
    assert isinstance(read, Candidate)
    assert read.said.drum_notes == sum(map(len, tracks)) and read.said.outside_kit == 0


def test_a_folder_of_named_loops_becomes_bars_and_new_loops(tmp_path: Path) -> None:
    made = {"01_Kick": (0, 960), "02_Kick_85bpm": (0, 720), "snare": (480, 1440), "Hi_Hat 2": range(0, 1920, 240)}
    for name, ticks in made.items():
        part = struck(*(tick + bar * 1920 for bar in range(2) for tick in ticks), name="track")
        tempos = () if "bpm" in name else (Tempo(0, round(60e6 / 85)),)
        song = Song(480, (part,), tempos, (Metre(0, 4, 4),), 3840)
        (tmp_path / f"{name}.mid").write_bytes(midi.serialise(song))
    read = beats.read([tmp_path])
    assert len(read.names) == 4
    voices = {NINE.names[np.flatnonzero(bar.any(axis=0))[0]] for bar in read.velocity}
    assert voices == {"kick", "snare", "closed hat"}
    assert set(read.bpm.round(2)) == {85.0}
    train = read._replace(side=np.zeros_like(read.side))
    assert not len(loops.whole(train).number)
    new = loops.combined(train, 10, np.random.default_rng(0))
    assert new.loops == 2
    assert (new.beats.velocity > 0).any(axis=(0, 1)).sum() == 3
    assert len(loops.whole(new.beats).number) == 4


def test_names_are_split_at_capitals_digits_and_signs() -> None:
    assert reading.piece_of("MyKickDrum") == "kick"
    assert reading.piece_of("loop-snare(old)") == "snare"
