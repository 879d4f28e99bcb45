"""TuxGuitar -> Song: files of version 1, and of version 2, which is XML in a zip file, as a tab.

What is written is read by `binary` or here, measure by measure; `written` makes a tab of it.
"""

from __future__ import annotations

from fractions import Fraction
from xml.etree.ElementTree import Element

from seq2drum.errors import NotationError
from seq2drum.formats import foreign
from seq2drum.formats.archives import Packed, archive_of, member
from seq2drum.formats.checked_xml import elements, whole
from seq2drum.formats.guitarpro.performed import song_of
from seq2drum.formats.guitarpro.tab import Articulation
from seq2drum.formats.tuxguitar import binary
from seq2drum.formats.tuxguitar.written import (
    LOUDNESS,
    WAY_OUT,
    Counter,
    Grace,
    Head,
    Voice,
    WrittenNote,
    WrittenTrack,
    check_counts,
    duration,
    line,
    order,
    tab_of,
)
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Song

_PACKED = Packed("tab", "save it again", "export it as MIDI", TAB_LIMITS.score_bytes, TAB_LIMITS.packing)
_CONTENT = "content.xml"
_QUARTER = 2_882_880  # TuxGuitar's units of time in a quarter; a tab begins with the second quarter
_DRUM_BANK = 128
_MOST_STRINGS = 64
_FEELS = {"eighth": 1, "sixteenth": 2}


def read_tuxguitar(data: bytes) -> Song:
    """The song of a file's bytes (.tg), as `guitarpro.performed.song_of` plays it.

    Bends, slides, trills and harmonics are ignored: a note has the pitch of its fret.

    Raises:
        NotationError: another kind of file, damaged, or beyond TAB_LIMITS.
    """
    if data.startswith(b"PK\x03\x04"):
        with archive_of(data, _PACKED) as archive:
            found = next((info for info in archive.infolist() if info.filename == _CONTENT), None)
            if found is None:
                raise NotationError(f"the zip file has no {_CONTENT} in it; wanted a tab of TuxGuitar 2 (.tg)")
            text = member(archive, found, _PACKED)
        heads, tracks = _Content().read(text)
    elif data[1:].startswith("TuxGuitar".encode("utf-16-be")):
        heads, tracks = binary.read(data)
    else:
        raise NotationError(f"this is not a tab of TuxGuitar: it begins with {foreign.beginning(data)}; {WAY_OUT}")
    return song_of(tab_of(heads, tracks), order(heads))


class _Content:
    """The XML of version 2 while it is read."""

    def __init__(self) -> None:
        self._heads: list[Head] = []
        self._starts = [Fraction(0)]
        self._channels: dict[int, tuple[int, bool]] = {}
        self._tracks: list[WrittenTrack] = []
        self._bars: list[list[Voice]] = []
        self._strings: list[int] = []
        self._about: dict[str, str] = {}  # the texts of a track by their tags
        self._counter = Counter()
        self._velocity = LOUDNESS

    def read(self, text: bytes) -> tuple[list[Head], list[WrittenTrack]]:
        """The measures and tracks.

        Raises:
            NotationError: not a tab of TuxGuitar 2, damaged, or too large.
        """
        for begins, path in elements(text, "tab", WAY_OUT, depth=4):
            element, depth = path[-1], len(path)
            if begins and depth == 1 and element.tag != "TuxGuitarFile":
                raise NotationError(f"the tab is XML, but its root is <{element.tag[:40]}>; wanted <TuxGuitarFile>")
            if begins:
                continue
            if depth == 4 and path[2].tag == "TGTrack":
                self._take_of_track(element)
                path[2].clear()
            elif depth == 3 and path[1].tag == "TGSong":
                self._take(element)
                path[1].clear()
        check_counts(len(self._heads), len(self._tracks))
        return self._heads, self._tracks

    def _take(self, item: Element) -> None:
        if item.tag == "TGChannel":
            program, bank = (whole(item.findtext(tag), 0) for tag in ("program", "bank"))
            self._channels[whole(item.findtext("id"), -1)] = program, bank == _DRUM_BANK
        elif item.tag == "TGMeasureHeader":
            self._heads.append(_head(item, self._heads[-1] if self._heads else Head(4, 4, 120.0)))
            self._starts.append(self._starts[-1] + self._heads[-1].length)
            check_counts(len(self._heads), 1)
        elif item.tag == "TGTrack":
            program, is_drums = self._channels.get(whole(self._about.get("channelId"), -1), (0, False))
            offset = whole(self._about.get("offset"), 0)
            tuning = [pitch + offset for pitch in self._strings]
            bars = [*self._bars, *[[] for _ in range(len(self._heads) - len(self._bars))]]
            self._tracks.append(WrittenTrack(line(self._about.get("name", "")), program, is_drums, tuning, bars))
            self._bars, self._strings, self._about, self._velocity = [], [], {}, LOUDNESS
            check_counts(len(self._heads), len(self._tracks))

    def _take_of_track(self, item: Element) -> None:
        if item.tag == "TGMeasure" and len(self._bars) < len(self._heads):  # no more than headers announce
            self._bars.append(self._measure(item))
        elif item.tag == "TGString" and len(self._strings) < _MOST_STRINGS:
            self._strings.append(whole(item.text, 0))
        elif item.tag in ("name", "channelId", "offset"):
            self._about[item.tag] = item.text or ""

    def _measure(self, item: Element) -> list[Voice]:
        number, voices = len(self._bars), list[Voice]()
        begun = (1 + self._starts[number]) * _QUARTER
        for beat in item.findall("TGBeat"):
            at = whole(beat.findtext("preciseStart"), 0)
            start = Fraction(max(at - (begun.numerator if begun.denominator == 1 else begun), 0), _QUARTER)
            for index, voice in enumerate(beat.findall("voice")):
                if voice.get("empty") == "true":
                    continue
                notes = tuple(self._note(each) for each in voice.findall("note"))
                self._counter.add(len(notes))
                while len(voices) <= index < TAB_LIMITS.voice:
                    voices.append(Voice())
                voices[index].beats.append((start, _length(voice), notes))
        return voices

    def _note(self, item: Element) -> WrittenNote:
        self._velocity = whole(item.get("velocity"), self._velocity)
        fret, string, is_tied = (
            whole(item.get("value"), 0),
            whole(item.get("string"), 0),
            item.get("tiedNote") == "true",
        )
        if not len(item):
            return WrittenNote(fret, string, self._velocity, is_tied)
        has = {each.tag for each in item}
        grace, tremolo = item.find("grace"), item.find("tremoloPicking")
        articulation = Articulation(
            is_dead="deadNote" in has,
            is_palm_muted="palmMute" in has,
            is_ghost="ghostNote" in has,
            accent=2 if "heavyAccentuatedNote" in has else int("accentuatedNote" in has),
        )
        return WrittenNote(
            fret,
            string,
            self._velocity,
            is_tied,
            articulation,
            "hammer" in has,
            "letRing" in has,
            Fraction(0) if tremolo is None else duration(whole(tremolo.get("duration"), 0), 0, 1, 1),
            None if grace is None else _grace(grace),
        )


def _grace(item: Element) -> Grace:
    return Grace(
        whole(item.get("fret"), 0),
        whole(item.get("dynamic"), LOUDNESS),
        item.get("dead") == "true",
        item.get("onBeat") == "true",
    )


def _length(voice: Element) -> Fraction:
    item = voice.find("duration")
    if item is None:
        raise NotationError(f"a beat of the tab has no length; {WAY_OUT}")
    division = item.find("divisionType")
    enters, times = (1, 1) if division is None else (whole(division.get(name), 0) for name in ("enters", "times"))
    dots = {"dotted": 1, "doubleDotted": 2}.get(item.get("dotted") or "", 0)
    return duration(whole(item.get("value"), 0), dots, enters, times)


def _head(item: Element, before: Head) -> Head:
    """What the tracks share in a measure; a metre that is not stated is that of the measure before."""
    metre, tempo = item.find("timeSignature"), item.find("tempo")
    head = before._replace(
        opens=item.find("repeatOpen") is not None,
        repeats=max(whole(item.findtext("repeatClose"), 0), 0),
        endings=sum(
            {
                1 << number
                for each in item.findall("repeatAlternative/alternative")
                if 0 <= (number := whole(each.text, 0) - 1) < 8
            }
        ),
        section=line(item.findtext("marker") or ""),
        feel=_FEELS.get(item.findtext("tripletFeel") or "", 0),
    )
    if metre is not None:
        numerator, denominator = (whole(metre.get(name), 0) for name in ("numerator", "denominator"))
        head = head._replace(numerator=numerator, denominator=denominator)
    if tempo is not None:
        unit = duration(whole(tempo.get("base"), 4), int(tempo.get("dotted") == "true"), 1, 1)
        head = head._replace(bpm=float(whole(tempo.text, 120) * unit))
    return head
