"""The blind comparison: a folder that needs nothing else and names nobody, and votes that are read back."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum.cli import main
from seq2drum.data.corpus.cache import save
from seq2drum.errors import CorpusError, InputError, MissingExtraError, OutputError
from seq2drum.evaluate import comparison
from seq2drum.evaluate import comparison as votes
from seq2drum.evaluate.comparison import BARS, Key, Vote, make, read_key, standings, strengths
from seq2drum.judge.intervals import Interval
from seq2drum.judge.players import Player, copy_player, real_player, shuffled_player
from seq2drum.music.duet import Duet
from tests.backbeats import played_songs, song_of, training

PLAYERS = (real_player(), shuffled_player(), Player("mute", "plays nothing", "model", copy_player().play))


def silent_file(duet: Duet) -> bytes:
    """Stands for a synthesiser: says how much there is to be heard."""
    return f"RIFF {len(duet.drums)} {len(duet.song.bars())}".encode()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Key]:
    folder = tmp_path_factory.mktemp("listen") / "page"
    return folder, make(played_songs(), PLAYERS, folder, render=silent_file)


# --- the folder -------------------------------------------------------------------------------------------------------


def test_every_song_is_heard_by_every_player_in_the_same_bars(made: tuple[Path, Key]) -> None:
    folder, key = made
    assert len(key.passages) == len(played_songs())
    for passage in key.passages:
        assert sorted(passage.versions.values()) == sorted(player.name for player in PLAYERS)
        sizes = {who: (folder / "sounds" / f"{name}.wav").read_text().split() for name, who in passage.versions.items()}
        assert {size[2] for size in sizes.values()} == {str(min(BARS, passage.bars))}
        assert int(sizes["real drums"][1]) > 0 == int(sizes["mute"][1])
    assert read_key(folder) == key


def test_the_page_names_no_player_and_asks_for_nothing_from_elsewhere(made: tuple[Path, Key]) -> None:
    folder, key = made
    text = (folder / "index.html").read_text()
    assert not [player.name for player in PLAYERS if player.name in text]
    assert not re.search(r"(https?:)?//[a-z]|fetch\(|XMLHttpRequest|key\.json", text)
    (data,) = re.findall(r"^const DATA = (.*);$", text, re.MULTILINE)
    sounds = [list(passage.versions) for passage in key.passages]
    assert json.loads(data) == {"page": key.page, "format": 1, "folder": "sounds", "passages": sounds}


def test_the_order_of_sounds_says_nothing_of_who_plays(made: tuple[Path, Key]) -> None:
    _, key = made
    firsts = {next(iter(passage.versions.values())) for passage in key.passages}
    assert all(list(passage.versions) == sorted(passage.versions) for passage in key.passages)
    assert len(firsts) > 1


def test_a_folder_with_something_in_it_is_left_alone(made: tuple[Path, Key]) -> None:
    folder, key = made
    with pytest.raises(OutputError, match="exists already"):
        make(played_songs(), PLAYERS, folder, render=silent_file)
    assert make(played_songs(), PLAYERS, folder, render=silent_file, overwrite=True) == key


def test_a_comparison_wants_two_players_and_a_song_with_drums(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="two players"):
        make(played_songs(), PLAYERS[:1], tmp_path / "a", render=silent_file)
    song = song_of(1)
    quiet = replace(song, drums=copy_player().play(song, 0))
    with pytest.raises(CorpusError, match="none of 1 songs has drums"):
        make([quiet], PLAYERS, tmp_path / "b", render=silent_file)


def test_shuffled_bars_are_the_songs_own_bars() -> None:
    song = song_of(1, bars=9)
    form, made = song.guitar_grid.form, shuffled_player().play(song, 0)

    def bars(hits) -> list[bytes]:
        return sorted(form.notes_between(hits, bar, bar + 1).step.tobytes() for bar in range(len(form.steps)))

    assert bars(made) == bars(song.drums)
    assert not np.array_equal(shuffled_player(1).play(song, 0).step, made.step)


def test_without_a_synthesiser_nothing_is_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def absent(soundfont: object = None) -> None:
        raise MissingExtraError("sound needs FluidSynth")

    monkeypatch.setattr("seq2drum.show.fluidsynth.find", absent)
    cache = tmp_path / "songs.s2d"
    save([*played_songs(), *training()], cache)
    assert main(["--mode", "eval", "--cache", str(cache), "--listen", str(tmp_path / "page")]) != 0
    assert "sound needs FluidSynth" in capsys.readouterr().err
    assert not (tmp_path / "page").exists()


# --- votes ------------------------------------------------------------------------------------------------------------


def saved(folder: Path, name: str, key: Key, rows: Sequence[tuple[int, str, str, str]], listener: str = "") -> Path:
    """A file as the page saves it; rows: the passage, who is left, who is right, and which is better."""
    found = []
    for passage, left, right, better in rows:
        sounds = {who: sound for sound, who in key.passages[passage].versions.items()}
        found.append({"passage": passage, "left": sounds[left], "right": sounds[right], "better": better})
    path = folder / name
    path.write_text(json.dumps({"page": key.page, "format": 1, "listener": listener or name, "votes": found}))
    return path


def test_votes_are_read_back_as_players(made: tuple[Path, Key], tmp_path: Path) -> None:
    _, key = made
    rows = [(0, "mute", "real drums", "right"), (1, "real drums", "shuffled bars", "neither")]
    assert votes.read([saved(tmp_path, "one.json", key, rows)], key) == [
        Vote("one.json", 0, "mute", "real drums", 0.0),
        Vote("one.json", 1, "real drums", "shuffled bars", 0.5),
    ]


def test_votes_of_another_page_twice_the_same_or_damaged_are_refused(made: tuple[Path, Key], tmp_path: Path) -> None:
    _, key = made
    good = saved(tmp_path, "good.json", key, [(0, "mute", "real drums", "right")])
    again = saved(tmp_path, "again.json", key, [(0, "mute", "real drums", "left")], "good.json")
    foreign = tmp_path / "foreign.json"
    foreign.write_text(good.read_text().replace(key.page, "another"))
    damaged = tmp_path / "damaged.json"
    damaged.write_text(good.read_text().replace('"right": "', '"right": "x'))
    nothing = tmp_path / "nothing.json"
    nothing.write_text("[]")
    empty = saved(tmp_path, "empty.json", key, [])
    for paths, message in (
        ([good, again], "by one listener"),
        ([foreign], "another page"),
        ([damaged], "cannot be read"),
        ([nothing], "holds no votes"),
        ([empty], "no votes in"),
    ):
        with pytest.raises(InputError, match=message):
            votes.read(paths, key)
    with pytest.raises(InputError, match="not the key of a comparison"):
        (tmp_path / comparison.KEY).write_text("{}")
        read_key(tmp_path)


def test_the_command_tells_who_was_preferred(made: tuple[Path, Key], tmp_path: Path, capsys) -> None:
    folder, key = made
    rows = [(at, "mute", "real drums", "right") for at in range(3)] + [(0, "mute", "shuffled bars", "right")]
    path = saved(tmp_path, "votes.json", key, rows)
    assert main(["--mode", "eval", "--listen", str(folder), "--votes", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("real drums") and lines[3].startswith("mute")
    assert "4 votes of 1 listener" in lines[-1]
    assert main(["--mode", "eval", "--votes", str(path)]) != 0
    assert "--votes wants --listen DIR" in capsys.readouterr().err


# --- Bradley and Terry ------------------------------------------------------------------------------------------------


def test_of_two_players_the_strength_is_the_logarithm_of_wins_to_losses() -> None:
    found = strengths(np.array([[0, 2000.0], [6000.0, 0]]))
    assert found[0] == 0
    assert found[1] == pytest.approx(np.log(3), abs=1e-3)


def test_of_any_players_the_strengths_that_made_the_votes_are_found() -> None:
    wanted = np.array([0.0, 0.7, -1.2, 2.0])
    likely = 1 / (1 + np.exp(wanted[None] - wanted[:, None]))
    found = strengths(1e6 * likely * (1 - np.eye(4)))
    assert found == pytest.approx(wanted, abs=1e-4)


def test_players_that_never_met_are_set_beside_each_other_through_a_third() -> None:
    wins = np.zeros((3, 3))
    wins[0, 1] = wins[1, 2] = 7500
    wins[1, 0] = wins[2, 1] = 2500
    assert strengths(wins) == pytest.approx([0, -np.log(3), -2 * np.log(3)], abs=1e-3)


def voted(rng: np.random.Generator, count: int, chance: float) -> list[Vote]:
    """Votes by as many listeners; "b" is preferred to "a" by chance, "c" meets nobody."""
    return [Vote(str(at), 0, "a", "b", float(rng.random() > chance)) for at in range(count)]


def test_intervals_hold_the_strength_that_made_the_votes_and_narrow_with_votes() -> None:
    def interval(seed: int, count: int) -> Interval:
        votes = voted(np.random.default_rng(seed), count, 0.75)
        rows = {row.player: row for row in standings(votes, ["a", "b"], draws=100)}
        assert rows["a"].strength == (0, 0, 0)
        assert rows["b"].won == pytest.approx(1 - rows["a"].won)
        return rows["b"].strength

    few, many = ([interval(seed, count) for seed in range(20)] for count in (20, 200))
    for some in (few, many):
        assert sum(one.low < np.log(3) < one.high for one in some) >= 16
    assert np.mean([one.high - one.low for one in many]) < np.mean([one.high - one.low for one in few]) / 2


def test_who_always_wins_has_a_strength_that_is_finite_and_who_never_met_anybody_no_share() -> None:
    rows = {row.player: row for row in standings(voted(np.random.default_rng(0), 9, 1), ["a", "b", "c"], draws=20)}
    assert rows["b"].won == 1 and np.isfinite(rows["b"].strength.value)
    assert rows["c"].votes == 0 and np.isnan(rows["c"].won)
