"""Plans as JSON: written, read, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2drum.errors import OptionError
from seq2drum.music import song_plan
from seq2drum.music.song_plan import PlannedSection

PLAN = (
    PlannedSection(1, 8, "A", None, "closed hat", 0.9048, 0.89454013, "rock-hat"),
    PlannedSection(9, 16, "Ü", 11, None, 1.1052, 1.05),
)


def written(path: Path, **change: object) -> Path:
    held = json.loads(song_plan.as_json(PLAN)) | change
    path.write_text(json.dumps(held), encoding="utf-8")
    return path


def with_field(name: str, value: object) -> dict[str, object]:
    return {"sections": [{**PLAN[0]._asdict(), name: value}]}


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(song_plan.as_json(PLAN))
    assert song_plan.read(tmp_path / "plan.json") == PLAN
    held = json.loads((tmp_path / "plan.json").read_bytes())
    assert held["format"] == "seq2drum plan" and held["version"] == 1 and held["sections"][1]["name"] == "Ü"


def test_a_level_keeps_its_hundredths() -> None:
    for hundredths in range(-130, 131):
        row = PLAN[0]._replace(level=round(2.718281828459045 ** (hundredths / 100), 4))
        assert row.log_level == hundredths / 100


def test_drums_that_are_out_come_in_with_the_first_other_bar() -> None:
    row = PLAN[1]
    assert row.without(()) == row and row.without({9, 10}) == row
    assert row.without({11, 13}).enters == 12 and row.without(range(1, 99)).enters is None
    assert PLAN[0].without(()).enters is None


def test_a_plan_is_told_in_a_few_words_where_the_drums_change() -> None:
    even = PLAN[0]._replace(enters=1, level=1.0, loudness=1.0)
    assert song_plan.changes(PLAN) == ((1, "A: no drums"), (9, "Ü: no drums"), (11, "Ü: 1.11"))
    assert song_plan.changes([even]) == ((1, "A: 1.00 closed hat"),)
    assert song_plan.is_drawn(PLAN) and song_plan.is_drawn([even._replace(enters=2)])
    assert not song_plan.is_drawn([even]) and not song_plan.is_drawn(())
    assert not song_plan.is_built([even._replace(enters=2)])


def test_a_fuller_section_is_taller() -> None:
    heights = [PLAN[0]._replace(level=level).fullness for level in (0.25, 0.8, 1.0, 1.3, 4.0)]
    assert heights == sorted(heights) and (heights[0], heights[2], heights[-1]) == (0.1, 0.5, 1.0)


def test_a_section_moves_behind_a_count_in() -> None:
    assert PLAN[1].behind(2)[:4] == (11, 18, "Ü", 13) and PLAN[0].behind(1).enters is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "seq2drum take"}, "is not a plan; write one with --plan-out"),
        ({"version": 2}, "has version 2, wanted 1"),
        ({"sections": []}, "has no sections"),
        ({"sections": [7]}, "section 1 of the plan .* is not an object"),
        (with_field("first", "one"), "has first 'one', wanted the number of a bar"),
        (with_field("enters", True), "has enters True, wanted the number of a bar, or null"),
        (with_field("level", 10**400), "has level 10000000000000000000, wanted 0.25 to 4"),
        (with_field("level", float("nan")), "has level nan, wanted 0.25 to 4"),
        (with_field("cymbal", "gong"), "has the cymbal 'gong'"),
        (with_field("tempo", 120), "has 'tempo'; wanted first, last"),
        (with_field("first", -1), "has impossible bars, wanted A-B with 1 <= A <= B"),
        (with_field("last", 0), "the plan of bars 1-0 .A. has impossible bars"),
        ({"sections": [PLAN[0]._asdict()] * 2001}, "the plan has 2001 sections, wanted at most 2000"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        song_plan.read(written(tmp_path / "plan.json", **change))


@pytest.mark.parametrize(
    ("data", "said"), [(b"\xff", "is not a JSON file"), (b"[" * 100_000, "is not"), (b"[]", "is not a plan")]
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "plan.json").write_bytes(data)
    with pytest.raises(OptionError, match=said):
        song_plan.read(tmp_path / "plan.json")
    with pytest.raises(OptionError, match="does not exist; give the path of a plan"):
        song_plan.read(tmp_path / "none.json")
