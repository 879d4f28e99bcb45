"""`python -m bench mutants`: which changes it makes, where it finds them again, and which tests it tries."""

from __future__ import annotations

import ast
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from bench.mutants import KINDS, chosen_places, drawn, found_again, passed, places, table, within

SOURCE = '''"""A module."""
LIMIT = 3

class Hits:
    """Hits."""

    def heard(self, bars: int = 4, *, loud: bool = True) -> int | None:
        """Return ä."""
        if not bars or bars < LIMIT:
            return None
        total = sum(bar + 1 for bar in self.all(bars, key="ü") if bar) + 1
        return total
'''
OTHER = "def other(x):\n    return x > 7 and send(x, now=False)\n"
MOVED = SOURCE.replace("class Hits:", "class Strokes:").replace("self.all", "self.some")


def changed(source: str = SOURCE) -> dict[str, set[str]]:
    """The lines that each kind makes of a text."""
    lines: dict[str, set[str]] = {}
    for place in places("seq2drum/play/hits.py", source):
        after = place.applied(source).splitlines()
        ast.parse("\n".join(after))
        (line,) = [new for old, new in zip(source.splitlines(), after, strict=True) if new != old]
        lines.setdefault(place.kind, set()).add(line.strip())
    return lines


def test_each_kind_changes_one_expression_of_a_function() -> None:
    lines = changed()
    assert set(lines) == set(KINDS)
    assert lines["comparison"] == {"if not bars or (bars >= LIMIT):"}
    assert lines["boundary"] == {"if not bars or (bars <= LIMIT):"}
    assert lines["return"] == {"return None"}
    assert lines["flag"] == {"def heard(self, bars: int = 4, *, loud: bool = (False)) -> int | None:"}
    assert lines["argument"] == {"total = sum(bar + 1 for bar in (self.all(bars)) if bar) + 1"}
    assert lines["constant"] == {
        "def heard(self, bars: int = (5), *, loud: bool = True) -> int | None:",
        'total = sum(bar + (2) for bar in self.all(bars, key="ü") if bar) + 1',
        'total = sum(bar + 1 for bar in self.all(bars, key="ü") if bar) + (2)',
    }
    assert lines["arithmetic"] == {
        'total = sum((bar - 1) for bar in self.all(bars, key="ü") if bar) + 1',
        "total = (sum((bar + 1 for bar in self.all(bars, key='ü') if bar)) - 1)",
    }
    assert lines["condition"] == {
        "if (bars) or bars < LIMIT:",
        "if (not (not bars or bars < LIMIT)):",
        'total = sum(bar + 1 for bar in self.all(bars, key="ü") if (not bar)) + 1',
    }


def test_all_changes_of_a_real_file_are_python() -> None:
    path = Path(__file__).parent.parent / "seq2drum" / "music" / "theory.py"
    text = path.read_text("utf-8")
    found = places("seq2drum/music/theory.py", text)
    assert len(found) > 100 and len({place.key for place in found}) == len(found)
    for place in found[::7]:
        assert ast.dump(ast.parse(place.applied(text))) != ast.dump(ast.parse(text))


def test_places_are_found_again_in_another_file_and_in_a_function_that_was_renamed() -> None:
    before = places("seq2drum/play/hits.py", SOURCE)
    assert found_again(before, places("seq2drum/music/notes.py", SOURCE)) == places("seq2drum/music/notes.py", SOURCE)
    again = found_again(before, places("seq2drum/play/hits.py", MOVED))
    assert [place.function for place in again if place] == ["Strokes.heard"] * len(before)
    assert [place.kind for place in again if place] == [place.kind for place in before]


def test_places_of_a_function_that_is_gone_are_not_found() -> None:
    before = places("seq2drum/play/hits.py", SOURCE)
    assert found_again(before, places("seq2drum/play/hits.py", OTHER)) == [None] * len(before)


def test_a_place_that_is_gone_has_another_of_its_room_in_its_stead(tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    own = places("seq2drum/play/hits.py", SOURCE)
    wanted = own[:2]
    rows = [{**asdict(place), "room": place.room, "verdict": "killed"} for place in wanted]
    before.write_text(json.dumps({"places": rows}), "utf-8")
    left = [place for place in own if place.kind != wanted[0].kind]
    chosen, gone = chosen_places([*left, *places("server/files.py", OTHER)], 2, 0, before)
    assert [place["source"] for place in gone] == [wanted[0].source]
    assert chosen[1].key == wanted[1].key and chosen[0].room == "seq2drum/play" and chosen[0] not in wanted


def test_each_room_has_its_share_and_all_kinds_take_turns() -> None:
    many = [place for number in range(9) for place in places(f"seq2drum/play/a{number}.py", SOURCE)]
    few = [place for number in range(3) for place in places(f"server/b{number}.py", SOURCE)]
    chosen = drawn([*many, *few], 32, 5)
    assert Counter(place.room for place in chosen) == {"seq2drum/play": 24, "server": 8}
    assert Counter(place.kind for place in chosen if place.room == "server") == dict.fromkeys(KINDS, 1)
    assert drawn([*many, *few], 32, 5) == chosen != drawn([*many, *few], 32, 6)


def test_tests_are_taken_in_order_as_long_as_there_is_time() -> None:
    assert within([("a", 5.0), ("b", 6.0), ("c", 4.0)], 10.0) == ["a", "c"]
    assert within([("a", 50.0), ("b", 6.0)], 10.0) == ["a"]
    assert len(within(((str(number), 0.0) for number in range(1000)), 10.0)) == 40


def test_the_seconds_of_tests_that_passed_are_read_from_the_report() -> None:
    report = """<testsuites><testsuite>
        <testcase classname="tests.play.test_feel" name="test_a[1.5 x]" time="0.25"/>
        <testcase classname="tests.judge.test_b.TestAll" name="test_b" time="1"/>
        <testcase classname="tests.play.test_feel" name="test_c" time="1"><failure/></testcase>
        <testcase classname="tests.play.test_feel" name="test_d" time="1"><skipped/></testcase>
    </testsuite></testsuites>"""
    assert passed(report) == {
        "tests/play/test_feel.py::test_a[1.5 x]": 0.25,
        "tests/judge/test_b.py::TestAll::test_b": 1.0,
    }


def test_the_table_counts_verdicts_by_room() -> None:
    rows = [("server", "killed"), ("server", "survived"), ("client", "killed"), ("client", "timed out")]
    lines = table([{"room": room, "verdict": verdict} for room, verdict in rows])
    assert lines[2:] == ["| client | 2 | 1 | 1 | 0 |", "| server | 2 | 1 | 0 | 1 |", "| all | 4 | 2 | 1 | 1 |"]
