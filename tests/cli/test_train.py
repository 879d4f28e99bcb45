"""What mode train says: of how far a run is, where one goes on, and what its figures mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2drum.cli import generators
from seq2drum.console import terminal
from seq2drum.learn.run.report import listening
from seq2drum.learn.run.task import Progress, Recipe
from tests.commands import called


def test_a_run_whose_output_goes_to_a_file_says_how_far_it_is_every_half_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now)
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
