"""Mode train: its report, resuming, the licences of songs, and the model card."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from seq2drum.cli import generators, prepare, train
from seq2drum.console import terminal
from seq2drum.data.corpus import build
from seq2drum.data.corpus.cache import save, shards_of
from seq2drum.data.corpus.corpora import Licences
from seq2drum.data.corpus.prepared import Prepared, sources
from seq2drum.errors import CorpusError, OptionError
from seq2drum.learn.run.report import listening
from seq2drum.learn.run.task import Progress, Recipe
from seq2drum.models import checkpoint
from tests.commands import called
from tests.conftest import ROOT


def test_a_run_whose_output_goes_to_a_file_says_how_far_it_is_every_half_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with terminal.bar(1, "trained", lines=True) as advance:
        for _ in range(90):
            now += 1
            advance(0.01, f"{now:.0f} bars")
    assert capsys.readouterr().err.splitlines() == [
        "trained 30%: 130 bars",
        "trained 60%: 160 bars",
        "trained 90%: 190 bars",
    ]
    with terminal.bar(1, "playing") as advance:
        now += 100
        advance(1.0, "")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("progress", "recipe", "said"),
    [
        (
            Progress(seconds=720),
            Recipe(minutes=30),
            "going on: 12 of the 30 minutes of the whole run are done",
        ),
        (Progress(epoch=2), Recipe(epochs=5), "going on: 2 of the 5 epochs of the whole run are done"),
        (Progress(seconds=301), Recipe(minutes=5), "nothing is left to train: the run has 5.02 minutes behind it, and"),
        (Progress(seconds=301), Recipe(minutes=5), "--minutes 5 is for the whole run; name more"),
    ],
)
def test_a_run_that_goes_on_says_that_its_minutes_are_those_of_the_whole_run(
    progress: Progress, recipe: Recipe, said: str
) -> None:
    assert said in generators.going_on(progress, recipe, 1)


def test_the_figures_of_a_run_are_told_in_words() -> None:
    assert listening(74.28, 74.26) == "it does not listen to the guitar yet"
    assert listening(24.2, 24.4) == "it does not listen to the guitar yet"
    assert listening(7.6, 8.5) == "it listens to the guitar, which is worth 0.90 nats a bar"


@pytest.mark.slow
def test_a_run_on_the_own_examples_is_measured_on_unseen_ones_and_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ("--model", "lstm", "--size", "hidden=16", "reader=8", "--device", "cpu")
    words = ["--mode", "train", "--out", str(tmp_path / "run"), *sizes, "--workers", "1"]
    code, _, err = called([*words, "--epochs", "1"], capsys)
    assert code == 0, err
    assert "on songs never trained on: " in err
    assert "with another song's guitar: " in err
    assert "it does not listen to the guitar yet" in err
    code, _, err = called([*words, "--epochs", "2", "--resume"], capsys)
    assert code == 0, err
    assert "going on: 1 of the 2 epochs of the whole run are done" in err


# --- --licence: which songs are learnt from, and that the model card says so ------------------------------------------


CLEAN = argparse.Namespace(licence=["clean"])


@pytest.fixture(scope="module")
def songs() -> list[Prepared]:
    """Three songs, under three licences."""
    data = [ROOT / "examples" / "training" / f"{name}_1.mid" for name in ("ballad", "funk", "waltz")]
    found, _ = build.prepare(data)
    return [replace(song, licence=name) for song, name in zip(found, ("CC0", "CC BY-NC 4.0", "unknown"), strict=True)]


def test_of_a_cache_only_songs_under_the_licences_asked_for_are_learnt_from(
    songs: list[Prepared], capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare.allowed(songs, CLEAN) == songs[:1]
    assert "2 of 3 songs are left out: they are not under clean (CC0, CC BY, MIT)" in capsys.readouterr().err
    assert prepare.allowed(songs, argparse.Namespace(licence=[])) == songs
    assert not capsys.readouterr().err
    with pytest.raises(CorpusError, match="none of 2 songs is under a requested licence: clean"):
        prepare.allowed(songs[1:], CLEAN)


def test_songs_of_a_named_cache_are_asked_for_their_licences_too(
    songs: list[Prepared], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(songs, tmp_path / "songs.s2d")
    asked = argparse.Namespace(licence=["clean"], cache=str(tmp_path / "songs.s2d"), manifest=None)
    assert [song.licence for song in prepare.prepared([ROOT / "examples" / "training"], asked)] == ["CC0"]
    assert "2 of 3 songs are left out" in capsys.readouterr().err


def test_a_manifest_that_is_new_makes_a_new_cache(tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    (folder / "a.mid").write_bytes(b"MThd")
    asked = argparse.Namespace(licence=[], cache=None, manifest=None)
    names = {prepare.cache_of([folder], asked)}
    for licence in ("MIT", "CC0"):
        (tmp_path / "manifest.csv").write_text(f"sha256,group,licence\n00,one,{licence}\n")
        names.add(prepare.cache_of([folder], asked))
    assert len(names) == 3


def test_metadata_that_state_another_licence_make_a_new_cache(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"MThd")
    asked = argparse.Namespace(licence=[], cache=None, manifest=None)
    names = set()
    for licence, agreed in (("CC0", "True"), ("publicdomain", "True"), ("CC0", "False")):
        (tmp_path / "PDMX.csv").write_text(f"mid,license,subset:no_license_conflict\na.mid,{licence},{agreed}\n")
        names.add(prepare.cache_of([f"pdmx:{tmp_path}"], asked))
    assert len(names) == 3


def test_shards_with_other_licences_are_refused(songs: list[Prepared], tmp_path: Path) -> None:
    save(songs[:2], tmp_path / "mixed.s2d")
    save(songs[:1], tmp_path / "clean.s2d")
    prepare.check_shards(shards_of(tmp_path / "clean.s2d"), CLEAN)
    prepare.check_shards(shards_of(tmp_path / "mixed.s2d"), argparse.Namespace(licence=[]))
    with pytest.raises(CorpusError, match=r"other licences than clean .* such as 'CC BY-NC 4\.0'; prepare them again"):
        prepare.check_shards(shards_of(tmp_path / "mixed.s2d"), CLEAN)


def test_the_card_has_the_licence_of_each_source_and_says_which_were_asked_for(songs: list[Prepared]) -> None:
    config = {"family": "attention", "data": sources(songs)}
    card = checkpoint.card(config, 1)
    assert all(f"| {song.licence} |" in card for song in songs) and "only songs under" not in card
    card = checkpoint.card({**config, "licences": str(Licences(["clean", "Public Domain"]))}, 1)
    assert "| licences | only songs under these: clean (CC0, CC BY, MIT), public domain |" in card


def test_what_strangers_state_does_not_break_the_card() -> None:
    stated = {"folder": "a|b", "origin": "", "licence": "one\ntwo\x1b[31m | three"}
    data = [{**stated, "train": 1, "validation": 0, "test": 0}] + [
        {**stated, "licence": f"own {number}", "train": 1, "validation": 0, "test": 0} for number in range(1000)
    ]
    card = checkpoint.card({"family": "attention", "data": data, "licences": None}, 1)
    assert r"| a\|b | not stated | one two\x1b[31m \| three | 1 | 0 | 0 |" in card
    assert "801 more rows are in `config.json`." in card and card.count("\n") < 250
    assert "| licences |" not in card


def test_a_card_says_which_weights_a_run_began_with() -> None:
    card = checkpoint.card({"family": "attention", "recipe": {"start": "default"}, "licences": "clean"}, 1)
    assert "| begins with | the weights of `default`, see its card, too |" in card


def test_a_run_is_not_gone_on_with_on_other_songs(songs: list[Prepared], tmp_path: Path) -> None:
    (tmp_path / "last").mkdir()
    config = tmp_path / "last" / "config.json"
    config.write_text(json.dumps({"data": sources(songs)}))
    train.check_same(tmp_path, sources(songs))
    with pytest.raises(OptionError, match=r"was begun with other songs; .*--start"):
        train.check_same(tmp_path, sources(songs[:1]))
    for damaged in ("", "{}", "[]"):
        config.write_text(damaged)
        train.check_same(tmp_path, sources(songs))


def test_weights_of_no_folder_and_weights_that_leave_nothing_are_refused(songs: list[Prepared]) -> None:
    data = sources([replace(song, tag=tag, split="train") for song, tag in zip(songs, "aab", strict=True)])
    train.check_weights({}, data)
    train.check_weights({"a": 0.0, "b": 2.0}, data)
    with pytest.raises(OptionError, match="--weight names 'jaz', and no song lies in such a folder; there are a, b"):
        train.check_weights({"jaz": 2.0}, data)
    with pytest.raises(OptionError, match="no song to learn from is left"):
        train.check_weights({"a": 0.0, "b": 0.0}, data)
