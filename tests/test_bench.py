"""The harness of the benches: it lists and runs them, says which figures are as wanted, and compares with a commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import harness
from bench.harness import Table, benches, figure, main, ratios, show, without_comparison
from bench.machine import apart
from tests.conftest import ROOT

TIMES = Table({"library": "", "read": "{:.2f} ms", "found": ""})


def test_each_bench_is_listed_with_one_line_that_says_what_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert {"play", "midi", "service", "same"} <= benches().keys()
    for name, line in benches().items():
        assert line.endswith(".") and 20 < len(line) < 100, name
        assert f"{name:9} {line}" in printed


def test_a_bench_runs_as_a_program_and_prints_its_table() -> None:
    command = [sys.executable, "-m", "bench", "lattice", "examples/training"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "| violations of the law | 0 |  |  | at most 0 | yes |" in done.stdout


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["no-such-bench"], "there is no bench 'no-such-bench'; there are "),
        (
            ["lattice", "--against", "no-such-commit"],
            "there is no commit 'no-such-commit'; git log --oneline lists them",
        ),
        (["lattice", "--rounds", "0"], "'0' is no number of rounds, wanted 1 or more"),
        (["lattice", "no-such-folder"], "no-such-folder"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], phrase: str
) -> None:
    try:
        code = main(words)
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 1
    assert code == 2 and phrase in capsys.readouterr().err


def test_a_row_writes_its_numbers_as_the_table_says_and_leaves_out_none() -> None:
    assert str(TIMES.row("symusic", 0.256, "18 songs")) == "| symusic | 0.26 ms | 18 songs |"
    assert str(TIMES.row("mido", None, "")) == "| mido |  |  |"
    with pytest.raises(ValueError, match="a row has 1 cells, wanted 3: library, read, found"):
        TIMES.row("symusic")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (191481, "191,481"),
        (1234.56, "1,235"),
        (12.3456, "12.35"),
        (0.0123456, "0.01235"),
        (-2.0, "-2.000"),
    ],
)
def test_a_number_is_written_without_an_exponent(number: float, text: str) -> None:
    assert harness.plain(number) == text


@pytest.mark.parametrize(
    ("value", "bounds", "kept"),
    [(1.0, {"most": 1.0}, True), (1.1, {"most": 1.0}, False), (3.9, {"least": 4.0}, False), (5.0, {}, None)],
)
def test_a_figure_is_kept_within_its_bounds_and_not_judged_without_any(
    value: float, bounds: dict[str, float], kept: bool | None
) -> None:
    assert figure("a call", value, "ms", **bounds).kept is kept


def test_one_figure_that_is_not_as_wanted_makes_the_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = figure("a call", 3, "ms", most=5), figure("a late call", 9, "ms", beside=4, most=5)
    assert show([good, "and then", bad], as_json=False) == 1
    assert show([good], as_json=False) == 0
    printed = capsys.readouterr().out
    assert "and then\n\n| what | figure | unit | beside it | wanted | kept |\n|---|---|---|---|---|---|\n" in printed
    assert "| a late call | 9 | ms | 4 | at most 5 | no |" in printed


def test_numbers_of_a_row_are_found_by_its_words_and_columns(capsys: pytest.CaptureFixture[str]) -> None:
    row = TIMES.row("symusic", 0.25, "18 songs")
    assert row.numbers == {"symusic: read": 0.25}
    show(["words", row], as_json=True)
    machine, printed, end = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert machine.keys() == {"machine"} and end == {"kept": True}
    assert printed["numbers"] == row.numbers
    assert printed["cells"] == {"library": "symusic", "read": 0.25, "found": "18 songs"}


def test_medians_of_rounds_are_compared_of_numbers_that_all_have() -> None:
    pairs = [({"a": 1.0, "b": 5.0, "ours": 3.0}, {"a": 2.0, "b": 5.0}), ({"a": 3.0, "b": 5.0}, {"a": 4.0, "b": 0.0})]
    rows = [row.cells for row in ratios([*pairs, ({"a": 2.0, "b": 5.0}, {"a": 9.0, "b": 0.0})], "HEAD")]
    assert rows == [("a", 2.0, 4.0, 0.5), ("b", 5.0, 0.0, None)]


def test_the_words_of_a_comparison_are_not_handed_on_and_files_are_found_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    words = ["examples", "--against", "HEAD", "--rounds", "2", "--seed", "3"]
    assert without_comparison(words) == [str(ROOT / "examples"), "--seed", "3"]


def test_the_code_of_another_checkout_is_what_is_measured(tmp_path: Path) -> None:
    package = tmp_path / "seq2drum"
    package.mkdir()
    for name in ("__init__", "errors"):
        (package / f"{name}.py").write_text("class Seq2DrumError(Exception): ...\n")
    with pytest.raises(harness.BenchError, match=r"lattice could not measure .*: it ended with 1"):
        harness.numbers_of(tmp_path, "lattice", [])  # it has no seq2drum.data


def test_a_function_is_called_in_a_process_of_its_own() -> None:
    assert apart(os.path.join, "a", "b") == str(Path("a", "b"))
    with pytest.raises(RuntimeError, match="listdir failed"):
        apart(os.listdir, "/no/such/folder")
