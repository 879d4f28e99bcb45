"""Folders of files become a cache: counted, free of copies, split by song, the same everywhere."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from seq2drum.data.corpus import build, cache, parts
from seq2drum.data.corpus.build import Account
from seq2drum.data.corpus.cache import load, save, save_packed
from seq2drum.data.corpus.copies import Candidate
from seq2drum.data.corpus.parts import digest, parts_of
from seq2drum.data.corpus.prepared import SPLITS, Prepared, sources, split_of
from seq2drum.data.corpus.reading import find_files
from seq2drum.errors import CorpusError
from seq2drum.formats.midi import midi
from seq2drum.lattice.features import SongGrid, features
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

BARS = 40


def riff(seed: int, bar: int, up: int = 0) -> list[Note]:
    """A bar of eight eighths that only this seed has."""
    pitches = np.random.default_rng([1, seed]).integers(40, 65, size=8).tolist()
    return [Note(1920 * bar + 240 * eighth, 200, pitch + up, 90) for eighth, pitch in enumerate(pitches)]


def beat(seed: int, bar: int) -> list[Note]:
    """A bar of hi-hats, and seven hits of other pieces that only this seed has."""
    rng = np.random.default_rng([2, seed])
    hats = [Note(1920 * bar + 240 * eighth, 60, 42, 70) for eighth in range(8)]
    places = rng.choice(16, size=7, replace=False).tolist()
    return hats + [Note(1920 * bar + 120 * place, 60, int(rng.choice([36, 38, 47])), 90) for place in places]


def piece(seeds: Sequence[int], *, up: int = 0, drums: Sequence[int] | None = None) -> Song:
    """A song whose bars are made from seeds: the same seed is the same bar, wherever it stands."""
    guitar = [note for bar, seed in enumerate(seeds) for note in riff(seed, bar, up)]
    hits = [note for bar, seed in enumerate(drums if drums is not None else seeds) for note in beat(seed, bar)]
    parts = (Part.of(guitar, program=27, name="guitar"), Part.of(hits, name="drums", is_drums=True))
    return Song(480, parts, length=1920 * len(seeds))


def song(seed: int) -> Song:
    """A song that shares no bar with those of other seeds."""
    return piece(range(1000 * seed, 1000 * seed + BARS))


def put(folder: Path, **songs: Song | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in songs.items():
        (folder / f"{name}.mid").write_bytes(content if isinstance(content, bytes) else midi.serialise(content))
    return folder


def manifest(path: Path, groups: dict[Path, str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as lines:
        rows = csv.writer(lines)
        rows.writerow(["path", "sha256", "group"])
        rows.writerows(
            [file.name, hashlib.sha256(file.read_bytes()).hexdigest(), name] for file, name in groups.items()
        )
    return path


def assert_same(one: Sequence[Prepared], other: Sequence[Prepared]) -> None:
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert replace(left, guitar_grid=right.guitar_grid, drums=right.drums) == right
        assert left.guitar_grid.parts == right.guitar_grid.parts
        arrays = [
            [
                *item.guitar_grid.form,
                *item.guitar_grid.guitar,
                *item.guitar_grid.bass,
                item.guitar_grid.programs,
                *item.drums,
            ]
            for item in (left, right)
        ]
        for first, second in zip(*arrays, strict=True):
            assert_array_equal(first, second)
            assert first.dtype == second.dtype


def test_the_bass_is_prepared_and_kept(tmp_path: Path) -> None:
    played = song(1)
    bass = Part.of([Note(1920 * bar, 960, 40, 90) for bar in range(BARS)], program=33)
    put(tmp_path / "rock", hit=replace(played, parts=(*played.parts, bass)), alone=song(2))
    songs, _ = build.prepare([tmp_path / "rock"])
    save(songs, tmp_path / "cache")
    alone, hit = load(tmp_path / "cache")
    assert hit.guitar_grid.bass.step.tolist() == list(range(0, 24 * BARS, 24))
    assert not len(alone.guitar_grid.bass.step)


# --- files ------------------------------------------------------------------------------------------------------------


def test_files_are_found_in_all_folders_whatever_their_case_and_sorted(tmp_path: Path) -> None:
    for name in ("b/one.MID", "b/deep/two.midi", "a/three.kar", "a/four.Rmi", "a/notes.txt", "a/five.mid.bak"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "folder.mid").mkdir()
    paths = find_files([tmp_path / "b", tmp_path / "a", tmp_path])
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "a/four.Rmi",
        "a/three.kar",
        "b/deep/two.midi",
        "b/one.MID",
    ]


def test_a_single_file_is_a_corpus_too(tmp_path: Path) -> None:
    put(tmp_path, one=song(1), two=song(2))
    assert find_files([tmp_path / "one.mid"]) == [tmp_path / "one.mid"]
    songs, _ = build.prepare([tmp_path / "one.mid"])
    assert [item.path for item in songs] == ["one.mid"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="nowhere"):
        find_files([tmp_path / "nowhere"])


def test_a_folder_without_midi_says_what_was_wanted(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").touch()
    with pytest.raises(CorpusError, match=r"no song in .*\.gp5, .*\.mid, "):
        find_files([tmp_path])


# --- what is prepared -------------------------------------------------------------------------------------------------


def test_a_prepared_song_is_what_the_guitar_and_the_drums_play(tmp_path: Path) -> None:
    played = song(1)
    put(tmp_path / "rock", hit=played)
    (prepared,), account = build.prepare([tmp_path / "rock"])
    assert (prepared.path, prepared.tag) == ("rock/hit.mid", "rock")
    assert prepared.sha256 == hashlib.sha256(midi.serialise(played)).hexdigest()
    wanted = SongGrid.of(midi.parse(midi.serialise(played)), [0]).guitar_grid
    for one, other in zip(features(prepared.guitar_grid), features(wanted), strict=True):
        assert_array_equal(one, other)
    assert np.bincount(prepared.drums.key, minlength=len(FULL))[FULL.voice_of[42]] == 8 * BARS
    assert (account.files, account.songs, account.left_out.total()) == (1, 1, 0)
    assert account.drum_notes == len(played.parts[1])


def test_the_same_is_prepared_by_one_worker_and_by_two(tmp_path: Path) -> None:
    put(tmp_path, **{f"song{seed}": song(seed) for seed in range(5)}, broken=b"MThd")
    one, one_account = build.prepare([tmp_path], workers=1)
    two, two_account = build.prepare([tmp_path], workers=2)
    assert_same(one, two)
    assert one_account == two_account


def test_a_song_that_stays_packed_is_kept_as_one_that_was_unpacked_and_packed_again(tmp_path: Path) -> None:
    put(tmp_path, **{f"song{seed}": song(seed) for seed in range(3)})
    save(build.prepare([tmp_path])[0], tmp_path / "again")
    save_packed(build.prepare_packed([tmp_path])[0], tmp_path / "once")
    assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes()


def test_the_same_is_prepared_wherever_the_folders_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = put(tmp_path / "here" / "jazz", a=song(1), z=song(2), copy=song(2))
    put(here / "deep", m=song(3), other=piece([*range(2000, 2030), *range(7)]))
    there = tmp_path / "somewhere" / "else" / "jazz"
    shutil.copytree(here, there)
    one, _ = build.prepare([here])
    assert_same(one, build.prepare([there])[0])
    monkeypatch.chdir(there)
    assert_same(one, build.prepare([Path()])[0])
    assert [item.path for item in one] == sorted(item.path for item in one)


def test_folders_are_the_same_corpus_in_any_order(tmp_path: Path) -> None:
    rock, jazz = put(tmp_path / "rock", a=song(1), b=song(2)), put(tmp_path / "jazz", c=song(3), b=song(2))
    assert_same(build.prepare([rock, jazz])[0], build.prepare([jazz, rock])[0])


def test_progress_counts_to_the_number_of_files(tmp_path: Path) -> None:
    put(tmp_path, a=song(1), b=song(2), c=b"")
    seen: list[tuple[int, int]] = []
    build.prepare([tmp_path], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_several_drum_tracks_are_one_drummer(tmp_path: Path) -> None:
    whole = song(1)
    rows = whole.parts[1].rows
    split = [Part.of(rows[half::2], name=f"kit {half}", is_drums=True) for half in (0, 1)]
    put(tmp_path / "one", a=whole)
    put(tmp_path / "two", a=replace(whole, parts=(whole.parts[0], *split)))
    one, two = (build.prepare([tmp_path / folder])[0][0] for folder in ("one", "two"))
    for column, other in zip(one.drums, two.drums, strict=True):
        assert_array_equal(column, other)


# --- what is left out -------------------------------------------------------------------------------------------------


def off_the_grid() -> Song:
    """All hits half a gap late, as drums of another metre map are."""
    whole = song(1)
    drums = whole.parts[1]
    return replace(whole, parts=(whole.parts[0], replace(drums, onset=drums.onset + 60)), length=whole.length + 60)


def endless_bars() -> Song:
    notes = [Note(480 * 64 * bar, 240, 40, 80) for bar in range(6)]
    parts = (Part.of(notes, program=27), Part.of([note._replace(pitch=36) for note in notes], is_drums=True))
    return Song(480, parts, metres=(Metre(0, 64, 4),), length=480 * 64 * 6)


def guitar_only() -> Song:
    return replace(song(1), parts=song(1).parts[:1])


LEFT_OUT: list[tuple[str, Song | bytes]] = [
    ("not a readable file", b"MThd, or so it says"),
    ("no guitar part", replace(song(1), parts=song(1).parts[1:])),
    ("no notes", Song(480, (Part.of([], program=27, name="guitar"),), length=1920)),
    ("no drums", guitar_only()),
    ("the notes do not sit on the barlines", off_the_grid()),
    ("guitar and drums play together in fewer than 4 bars", piece(range(3))),
    ("a bar longer than 32 quarters", endless_bars()),
]


@pytest.mark.parametrize(("reason", "content"), LEFT_OUT, ids=[reason for reason, _ in LEFT_OUT])
def test_each_reason_to_leave_a_file_out_is_counted(tmp_path: Path, reason: str, content: Song | bytes) -> None:
    put(tmp_path, good=song(2), bad=content)
    songs, account = build.prepare([tmp_path])
    assert [item.path for item in songs] == [f"{tmp_path.name}/good.mid"]
    assert account.left_out == {reason: 1}
    assert (account.files, account.songs) == (2, 1)


def test_a_file_that_cannot_be_opened_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, good=song(2), bad=song(1))
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "bad.mid":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert build.prepare([tmp_path])[1].left_out == {"a file or folder that could not be opened": 1}


def test_a_folder_that_cannot_be_looked_into_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, good=song(2))
    (tmp_path / "closed").mkdir()
    put(tmp_path / "closed", more=song(1))
    look, read = os.scandir, Path.read_bytes

    def closed(path: Path) -> Path:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return path

    monkeypatch.setattr(os, "scandir", lambda path: look(closed(Path(path))))
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(closed(path)))
    songs, account = build.prepare([tmp_path])
    assert [song.path for song in songs] == [f"{tmp_path.name}/good.mid"]
    assert account.files == 2 and account.left_out == {"a file or folder that could not be opened": 1}


class _Dying(build.Reader):
    def __call__(self, part: object) -> list[Candidate | str]:
        os._exit(9)


def test_a_process_that_is_killed_while_it_reads_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, one=song(2), other=song(1))
    monkeypatch.setattr(parts, "FILES_PER_PART", 1)
    monkeypatch.setattr(build, "Reader", _Dying)
    with pytest.raises(
        CorpusError, match=r"ended before its job was done, most likely for want of memory; .*--workers"
    ):
        build.prepare([tmp_path], workers=2)


def test_prepared_songs_behind_data_are_told_from_songs(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    for name in ("songs.s2d", "shards/index.json"):
        (tmp_path / name).touch()
        with pytest.raises(CorpusError, match="is not a folder of songs; for prepared songs use --cache"):
            find_files([tmp_path / name])
    with pytest.raises(CorpusError, match="use --cache"):
        find_files([tmp_path / "shards"])
    put(tmp_path / "shards", good=song(2))
    assert find_files([tmp_path / "shards"]) == [tmp_path / "shards" / "good.mid"]


def test_a_manifest_as_spreadsheets_write_it_is_read(tmp_path: Path) -> None:
    put(tmp_path, good=song(2))
    digest = hashlib.sha256((tmp_path / "good.mid").read_bytes()).hexdigest()
    (tmp_path / "manifest.csv").write_text(f"sha256,group,licence\n{digest.upper()},one,MIT\n", encoding="utf-8-sig")
    (found,) = build.prepare([tmp_path])[0]
    assert (found.group, found.licence) == ("manifest:one", "MIT")


def test_four_bars_together_are_enough(tmp_path: Path) -> None:
    put(tmp_path, short=piece(range(4)))
    assert build.prepare([tmp_path])[1].songs == 1


def test_a_corpus_of_which_nothing_is_left_says_why(tmp_path: Path) -> None:
    put(tmp_path, one=b"", two=guitar_only())
    with pytest.raises(CorpusError, match=r"(?s)no song could be used.*2 files, 0 songs.*1 left out: no drums"):
        build.prepare([tmp_path])


def test_the_counts_of_the_account_and_of_its_lines_add_up(tmp_path: Path) -> None:
    put(tmp_path, a=song(2), b=song(2), c=song(3), **{f"bad{n}": content for n, (_, content) in enumerate(LEFT_OUT)})
    songs, account = build.prepare([tmp_path])
    assert account.files == len(LEFT_OUT) + 3 == account.songs + account.left_out.total()
    assert account.songs == len(songs) == 2
    assert account.lines()[0] == f"{account.files} files, 2 songs used"
    for reason in account.left_out:
        assert any(reason in line for line in account.lines())


def test_drum_notes_that_are_no_piece_of_the_kit_are_counted(tmp_path: Path) -> None:
    whole = song(1)
    rows = whole.parts[1].rows.copy()
    rows[: len(rows) // 2, 2] = 27
    put(tmp_path, odd=replace(whole, parts=(whole.parts[0], Part.of(np.unique(rows, axis=0), is_drums=True))))
    (prepared,), account = build.prepare([tmp_path])
    assert account.notes_outside_kit == np.sum(np.unique(rows, axis=0)[:, 2] == 27) > 0
    assert len(prepared.drums.step) == account.drum_notes - account.notes_outside_kit
    assert account.lines()[-1].startswith(f"  {account.notes_outside_kit} of {account.drum_notes} drum notes")


def test_an_account_of_nothing_divides_by_nothing() -> None:
    assert Account().lines() == ["0 files, 0 songs used", "  0 of 0 drum notes (0.00%) are not in the kit"]


# --- copies -----------------------------------------------------------------------------------------------------------


def test_an_exact_copy_is_dropped_and_counted(tmp_path: Path) -> None:
    put(tmp_path, a=song(1), b=song(1), c=song(1), d=song(2))
    songs, account = build.prepare([tmp_path])
    assert [item.path.split("/")[1] for item in songs] == ["a.mid", "d.mid"]
    assert account.left_out == {"an exact copy of another file": 2}


def changed(share: float, *, at_the_end: bool) -> Song:
    """Song 1 with other pitches for a share of its guitar notes, in its last bars or all over it."""
    whole = song(1)
    rows = whole.parts[0].rows.copy()
    number = round(share * len(rows))
    which = np.arange(len(rows))[-number:] if at_the_end else np.arange(number) * len(rows) // number
    rows[which, 2] += 1 + np.arange(number) % 3
    return replace(whole, parts=(Part.of(rows, program=27, name="guitar"), whole.parts[1]))


NEAR_COPIES = {
    "transposed": piece(range(1000, 1000 + BARS), up=5),
    "at another tempo": replace(song(1), tempos=(Tempo(0, 400_000),)),
    "renamed": replace(song(1), parts=tuple(replace(part, name="?") for part in song(1).parts)),
    "two bars late": piece([5000, 5001, *range(1000, 1000 + BARS)]),
    "with another ending, 5 % of the notes": changed(0.05, at_the_end=True),
    "at another resolution": replace(
        song(1),
        ticks_per_quarter=960,
        parts=tuple(replace(part, onset=part.onset * 2, duration=part.duration * 2) for part in song(1).parts),
        length=song(1).length * 2,
    ),
}


@pytest.mark.parametrize("copy", NEAR_COPIES.values(), ids=NEAR_COPIES)
def test_a_near_copy_is_dropped_and_counted(tmp_path: Path, copy: Song) -> None:
    put(tmp_path, a=song(1), b=copy, c=song(2))
    songs, account = build.prepare([tmp_path])
    assert account.left_out == {"a near copy of another song": 1}
    assert len(songs) == 2
    assert {item.path.split("/")[1] for item in songs} > {"c.mid"}


def test_which_of_two_near_copies_stays_does_not_depend_on_their_names(tmp_path: Path) -> None:
    one, other = put(tmp_path / "1", a=song(1), b=NEAR_COPIES["transposed"]), tmp_path / "2"
    put(other, b=song(1), a=NEAR_COPIES["transposed"])
    assert build.prepare([one])[0][0].sha256 == build.prepare([other])[0][0].sha256


def test_songs_that_share_nothing_are_all_kept_and_each_is_a_group(tmp_path: Path) -> None:
    put(tmp_path, **{f"song{seed}": song(seed) for seed in range(8)})
    songs, account = build.prepare([tmp_path])
    assert len({item.group for item in songs}) == len(songs) == 8
    assert all(item.group == item.sha256 for item in songs)
    assert not account.left_out


def test_songs_of_few_different_bars_are_no_copies_of_one_another(tmp_path: Path) -> None:
    # Two songs over one two-bar loop are always alike; they are not copies.
    put(tmp_path, a=piece([1, 2] * 20), b=piece([1, 2] * 21))
    assert build.prepare([tmp_path])[1].songs == 2


# --- groups and the split ---------------------------------------------------------------------------------------------

ARRANGEMENTS = {
    "60 % of all bars in common": piece([*range(1010, 1000 + BARS), *range(9000, 9010)]),
    "5 % of the notes changed all over": changed(0.05, at_the_end=False),
    "the same bars in another order, half of the drums new": piece(
        list(reversed(range(1000, 1000 + BARS))), drums=[*range(1000, 1000 + BARS // 2), *range(8000, 8000 + BARS // 2)]
    ),
}


@pytest.mark.parametrize("other", ARRANGEMENTS.values(), ids=ARRANGEMENTS)
def test_arrangements_of_one_song_are_both_kept_in_one_group_on_one_side(tmp_path: Path, other: Song) -> None:
    put(tmp_path, a=song(1), b=other, c=song(2))
    songs, account = build.prepare([tmp_path])
    assert not account.left_out
    group = {item.path.split("/")[1]: item.group for item in songs}
    assert group["a.mid"] == group["b.mid"] != group["c.mid"]
    assert len({item.split for item in songs if item.path.split("/")[1] != "c.mid"}) == 1


def test_a_group_is_as_far_as_likeness_reaches(tmp_path: Path) -> None:
    put(tmp_path, **{f"song{n}": piece(range(8 * n, 8 * n + BARS)) for n in range(4)})  # each shares 2/3 with the next
    songs, _ = build.prepare([tmp_path])
    assert len(songs) == 4
    assert len({item.group for item in songs}) == 1


def test_the_manifest_beside_a_folder_or_in_it_names_the_groups(tmp_path: Path) -> None:
    for place in ("in", "beside"):
        folder = put(tmp_path / place / "jazz", a=song(1), b=song(2), c=song(3))
        where = (folder if place == "in" else folder.parent) / "manifest.csv"
        manifest(where, {folder / "a.mid": "blue", folder / "b.mid": "blue"})
        groups = [item.group for item in build.prepare([folder])[0]]
        assert groups[:2] == ["manifest:blue"] * 2
        assert groups[2] == hashlib.sha256((folder / "c.mid").read_bytes()).hexdigest()


def test_a_manifest_that_is_named_is_the_one_that_counts(tmp_path: Path) -> None:
    folder = put(tmp_path / "jazz", a=song(1), b=song(2))
    manifest(folder / "manifest.csv", {folder / "a.mid": "in the folder"})
    named = manifest(tmp_path / "other.csv", {folder / "a.mid": "x", folder / "b.mid": "x"})
    assert {item.group for item in build.prepare([folder], manifest=named)[0]} == {"manifest:x"}


def test_a_manifest_and_likeness_join_their_groups(tmp_path: Path) -> None:
    folder = put(tmp_path / "jazz", a=song(1), like=ARRANGEMENTS["60 % of all bars in common"], b=song(2), c=song(3))
    manifest(folder / "manifest.csv", {folder / "a.mid": "one", folder / "b.mid": "one", folder / "c.mid": ""})
    group = {item.path: item.group for item in build.prepare([folder])[0]}
    assert group["jazz/a.mid"] == group["jazz/b.mid"] == group["jazz/like.mid"] == "manifest:one"
    assert group["jazz/c.mid"] not in {"manifest:", "manifest:one"}


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"path,digest\na,b\n", "columns 'sha256' and 'group'"), (b"sha256,group\n\xff\xfe,1\n", "cannot be read")],
)
def test_a_manifest_that_makes_no_sense_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    put(tmp_path, a=song(1))
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=f"manifest.csv.*{words}"):
        build.prepare([tmp_path])


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    put(tmp_path, a=song(1))
    with pytest.raises(CorpusError, match=r"no manifest .*gone\.csv"):
        build.prepare([tmp_path], manifest=tmp_path / "gone.csv")


def test_the_side_of_a_group_is_the_same_on_every_machine() -> None:
    # These are promises to models already trained: whoever changes them lets test songs into training.
    sides = {
        "a": "train",
        "b": "train",
        "blue bossa": "train",
        "manifest:7257": "train",
        "manifest:8373": "train",
        "manifest:18": "test",
        "manifest:26": "validation",
        "manifest:47": "test",
        "manifest:59": "test",
        "manifest:66": "test",
    }
    assert {name: split_of(name) for name in sides} == sides


def test_of_a_hundred_groups_88_are_for_training_4_for_validation_and_8_for_the_test() -> None:
    sides = [split_of(f"group {number}") for number in range(20_000)]
    for side, share in {"train": 0.88, "validation": 0.04, "test": 0.08}.items():
        assert sides.count(side) / len(sides) == pytest.approx(share, abs=0.006)


def test_sources_counts_songs_by_folder_and_side(tmp_path: Path) -> None:
    put(tmp_path / "rock", a=song(1), b=song(2))
    put(tmp_path / "jazz", c=song(3))
    songs, _ = build.prepare([tmp_path / "rock", tmp_path / "jazz"])
    table: Any = sources(songs)
    assert {row["folder"]: sum(row[side] for side in SPLITS) for row in table} == {"rock": 2, "jazz": 1}
    for item in songs:
        (row,) = [row for row in table if row["folder"] == item.tag]
        assert row[item.split] >= 1


def test_source_and_licence_of_a_manifest_are_kept_with_the_song(tmp_path: Path) -> None:
    folder = put(tmp_path / "jazz", a=song(1), b=song(2))
    digest = hashlib.sha256((folder / "a.mid").read_bytes()).hexdigest()
    (folder / "manifest.csv").write_text(f"sha256,group,source,licence\n{digest},,the attic,CC0\n")
    songs, _ = build.prepare([folder])
    save(songs, tmp_path / "cache.s2d")
    origins = {item.path: item.origin for item in load(tmp_path / "cache.s2d")}
    assert origins == {"jazz/a.mid": "the attic; CC0", "jazz/b.mid": ""}
    assert [row["origin"] for row in sources(songs)] == ["", "the attic; CC0"]


# --- the cache --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Prepared]:
    folder = tmp_path_factory.mktemp("music")
    seven = replace(song(4), metres=(Metre(0, 7, 8),), tempos=(Tempo(0, 431_000),))
    return build.prepare([put(folder, a=song(1), b=song(2), c=song(3), seven=seven)])[0]


def test_a_cache_that_is_saved_and_loaded_is_equal(songs: list[Prepared], tmp_path: Path) -> None:
    save(songs, tmp_path / "new" / "cache.s2d")
    assert_same(load(tmp_path / "new" / "cache.s2d"), songs)


def test_a_cache_written_again_has_the_same_bytes(songs: list[Prepared], tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    save(songs, one)
    save(load(one), other)
    assert one.read_bytes() == other.read_bytes()
    save(songs[:1], one)  # over what was there
    assert len(load(one)) == 1


def test_a_cache_is_compact(songs: list[Prepared], tmp_path: Path) -> None:
    save(songs, tmp_path / "cache")
    notes = sum(len(item.guitar_grid.guitar.step) + len(item.drums.step) for item in songs)
    assert (tmp_path / "cache").stat().st_size < 4 * notes  # of five numbers each


def test_a_missing_cache_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"(?s)cache\.s2d.*No such file.*--mode prepare"):
        load(tmp_path / "cache.s2d")


def test_a_cache_of_another_version_is_refused(
    songs: list[Prepared], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "CACHE_VERSION", 99)
    save(songs, tmp_path / "cache")
    monkeypatch.undo()
    with pytest.raises(CorpusError, match=r"version 99, wanted 4.*make it again"):
        load(tmp_path / "cache")


def test_a_damaged_cache_is_refused_wherever_the_damage_is(songs: list[Prepared], tmp_path: Path) -> None:
    path = tmp_path / "cache"
    save(songs, path)
    whole = path.read_bytes()
    damaged = [whole[:cut] for cut in (0, 3, 4, 11, 12, 40, len(whole) // 2, len(whole) - 1)]
    places = [0, 4, 11, *range(12, len(whole), max(len(whole) // 60, 1))]
    damaged += [whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :] for place in places]
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(CorpusError, match="not a usable cache"):
            load(path)


def test_a_folder_is_refused_as_a_cache(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        load(tmp_path)


def test_the_digest_of_a_folder_changes_with_its_files(tmp_path: Path) -> None:
    put(tmp_path, a=song(1), b=song(2))
    first = digest(parts_of([tmp_path]))
    assert digest(parts_of([tmp_path])) == first
    (tmp_path / "readme.txt").touch()
    assert digest(parts_of([tmp_path])) == first
    put(tmp_path, c=song(3))
    assert digest(parts_of([tmp_path])) != first
    (tmp_path / "c.mid").unlink()
    assert digest(parts_of([tmp_path])) == first
    put(tmp_path, b=song(4))
    assert digest(parts_of([tmp_path])) != first


# --- real music -------------------------------------------------------------------------------------------------------


def test_the_sample_songs_can_all_be_learnt_from(corpus_folder: Path) -> None:
    songs, account = build.prepare([corpus_folder / "sample"])
    assert account.songs == account.files == len(songs)
    for item in songs:
        for array in features(item.guitar_grid):
            assert np.all(np.isfinite(array))


def test_odd_and_broken_files_are_left_out_for_a_reason(corpus_folder: Path) -> None:
    songs, account = build.prepare([corpus_folder / "torture"])
    assert account.files == account.songs + account.left_out.total()
    assert account.left_out["not a readable file"] > 0
    assert len(songs) == account.songs > 0


@pytest.fixture
def corpus_folder(request: pytest.FixtureRequest) -> Path:
    """The corpus beside the repository; `corpus` is the module here."""
    folder: Path = request.getfixturevalue("corpus")
    return folder
