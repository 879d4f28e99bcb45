import json
import re

from seq2drum.music.explanation import SAID
from seq2drum.music.notes import Note, Part, Song
from seq2drum.music.theory import choose_parts
from server.web import make_sounds

PAGE = make_sounds.FOLDER.parent
TABLES = sorted(PAGE.glob("words_*.js"))
ROW = re.compile(r'^  ("[^"]+"): (\[.*\]),$', re.MULTILINE)
HOLE = re.compile(r"\{(\w+)\}")
ASKED = re.compile(r"""\bt\(\s*(?:"([\w .-]+)"|'([\w .-]+)'|`([^`]+)`)""")
HANDED_ON = re.compile(r"""["'`]((?:[a-z]+\.)[\w .-]*)["'`]""")

ROWS = [row for table in TABLES for row in ROW.findall(table.read_text(encoding="utf-8"))]
WORDS = {json.loads(key): json.loads(words) for key, words in ROWS}
CODE = {path.name: path.read_text(encoding="utf-8") for path in PAGE.glob("*.js") if path not in TABLES}


def test_every_key_has_words_in_both_languages_with_the_same_values_in_them():
    assert len(WORDS) == len(ROWS) > 100  # no key twice
    for key, words in WORDS.items():
        assert len(words) == 2 and all(word.strip() for word in words), key
        assert sorted(HOLE.findall(words[0])) == sorted(HOLE.findall(words[1])), key


def test_what_is_said_of_bars_has_the_words_of_the_package_and_german_ones():
    english = {key.removeprefix("said."): words[0] for key, words in WORDS.items() if key.startswith("said.")}
    assert english == SAID


def test_the_page_knows_each_reason_why_a_part_is_the_guitar():
    def notes(pitch: int) -> list[Note]:
        return [Note(480 * beat, 240, pitch, 90) for beat in range(8)]

    program, named, other = (
        Part.of(notes(52), program=number, name=name) for number, name in ((25, ""), (0, "Lead Guitar"), (0, ""))
    )
    strings = [Part.of(notes(40 + 5 * number), name=f"GR-55 {number + 1}") for number in range(6)]
    songs = {"program": [program], "named": [named], "only": [other], "hex": strings}
    reasons = {key: choose_parts(Song(480, tuple(parts)), None).reason for key, parts in songs.items()}
    reasons["chosen"] = choose_parts(Song(480, (other,)), "1").reason
    assert {key for key in WORDS if key.startswith("why.")} == {f"why.{key}" for key in reasons}
    for key, reason in reasons.items():
        assert re.fullmatch(HOLE.sub(".+", WORDS[f"why.{key}"][0]), reason), (key, reason)


def test_no_key_is_asked_for_that_is_not_in_the_table():
    for name, text in CODE.items():
        for double, single, pattern in ASKED.findall(text):
            if key := double or single:
                assert key in WORDS, f"{name} asks for {key}"
            else:
                assert any(pattern_of(pattern).fullmatch(known) for known in WORDS), f"{name} asks for {pattern}"


def test_no_key_of_the_table_is_without_use():
    everything = "\n".join(CODE.values())
    patterns = [pattern_of(pattern) for _, _, pattern in ASKED.findall(everything) if pattern]
    named = {key for double, single, _ in ASKED.findall(everything) if (key := double or single)}
    named |= set(HANDED_ON.findall(everything))
    unused = [key for key in WORDS if key not in named and not any(pattern.fullmatch(key) for pattern in patterns)]
    assert not unused


def test_the_manual_of_the_page_quotes_its_labels_and_its_messages_as_they_are():
    manual = " ".join((PAGE.parents[2] / "docs" / "guitarists" / "page.md").read_text(encoding="utf-8").split())
    english = [words[0] for words in WORDS.values()]
    labels = set(re.findall(r"(?<![*\w])\*([A-Z][^*`]+)\*(?!\*)", manual))
    assert len(labels) > 8
    assert labels - set(english) == set()
    messages = re.findall(r"\| ([A-Z][^|]+) \| [A-Z]", manual.split("## Read its messages")[1])
    assert len(messages) > 8
    assert [one for one in messages if not any(one in word for word in english)] == []


def pattern_of(template: str) -> re.Pattern[str]:
    """Matches the keys that a template of JavaScript, such as `piece.${name}`, may stand for."""
    pieces = re.split(r"\$\{[^}]*\}", template)
    return re.compile(".+".join(re.escape(piece) for piece in pieces))
