"""--licence: which songs are learnt from, and that the model card says so."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from seq2drum.cli import prepare
from seq2drum.data import corpus
from seq2drum.data.cache import save, shards_of
from seq2drum.data.licences import Licences
from seq2drum.data.prepared import Prepared, sources
from seq2drum.errors import CorpusError
from seq2drum.models import checkpoint
from tests.conftest import ROOT

CLEAN = argparse.Namespace(licence=["clean"])


@pytest.fixture(scope="module")
def songs() -> list[Prepared]:
    """Three songs, under three licences."""
    data = [ROOT / "examples" / "training" / f"{name}_1.mid" for name in ("ballad", "funk", "waltz")]
    found, _ = corpus.prepare(data)
    return [replace(song, licence=name) for song, name in zip(found, ("CC0", "CC BY-NC 4.0", "unknown"), strict=True)]


def test_of_a_cache_only_songs_under_the_licences_asked_for_are_learnt_from(
    songs: list[Prepared], capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare.allowed(songs, CLEAN) == songs[:1]
    assert "2 of 3 songs are left out: they are not under clean (CC0, CC BY, MIT)" in capsys.readouterr().err
    assert prepare.allowed(songs, argparse.Namespace(licence=[])) == songs
    assert not capsys.readouterr().err
    with pytest.raises(CorpusError, match="none of 2 songs is under a licence that was asked for: clean"):
        prepare.allowed(songs[1:], CLEAN)


def test_shards_with_other_licences_are_refused(songs: list[Prepared], tmp_path: Path) -> None:
    save(songs[:2], tmp_path / "mixed.s2d")
    save(songs[:1], tmp_path / "clean.s2d")
    prepare.check_shards(shards_of(tmp_path / "clean.s2d"), CLEAN)
    prepare.check_shards(shards_of(tmp_path / "mixed.s2d"), argparse.Namespace(licence=[]))
    with pytest.raises(CorpusError, match=r"other licences than clean .* such as 'CC BY-NC 4\.0'; prepare them anew"):
        prepare.check_shards(shards_of(tmp_path / "mixed.s2d"), CLEAN)


def test_the_card_has_the_licence_of_each_source_and_says_which_were_asked_for(songs: list[Prepared]) -> None:
    config = {"family": "attention", "data": sources(songs)}
    card = checkpoint.card(config, 1)
    assert all(f"| {song.licence} |" in card for song in songs) and "only songs under" not in card
    card = checkpoint.card({**config, "licences": str(Licences(["clean", "Public Domain"]))}, 1)
    assert "| licences | only songs under these: clean (CC0, CC BY, MIT), public domain |" in card
