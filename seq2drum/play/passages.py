"""Which passage a jam is in, and what each is played on: found anew before every bar, or led by signs."""

from __future__ import annotations

from collections.abc import Sequence

from seq2drum.lattice.form import Form
from seq2drum.lattice.grooves import Groove
from seq2drum.lattice.listening import Heard
from seq2drum.lattice.sections import Section, sections
from seq2drum.play import choosing
from seq2drum.play.foreseeing import FIRST, new_letter, passage
from seq2drum.play.options import Options

EARLY = (4, 8, 16)  # bars of the first passage after which its groove is another, if need be: the first choice is blind
PHRASE = 4  # bars of a passage, after which it may turn out to be another


class Passages:
    """The passages of a jam.

    letter: of the one that is played; begun: the number of the bar with which it began. letters: of the bars that are
    remembered. grooves: by letter; None if there is none in that metre.

    Args:
        options: What is asked for; its grooves are values.
        form: The first bar.
    """

    def __init__(self, options: Options, form: Form) -> None:
        self.options = options
        self.letter, self.begun, self.letters = FIRST, 0, list[str]()
        self.grooves = dict[str, Groove | None]()
        self._settled: Groove | None = None  # with the next bar, that of the first passage
        self._changed, self._is_led = 0, False  # the bar from which on it is played; whether signs say where they begin
        self._choose(FIRST, None, form)

    @property
    def groove(self) -> Groove | None:
        """What is played on."""
        return self.grooves[self.letter]

    def turn(self, number: int, letter: str | None, heard: Heard, here: Form) -> bool:
        """Begin a passage with a bar, because a sign says so; whether it is another.

        letter: None for a new one. heard: the bars before it; here: the bar itself.
        """
        playing = self.grooves[self.letters[-1]] if self.letters else None
        wanted = new_letter([*self.letters, *self.grooves]) if letter is None else letter
        is_new = wanted != self.letter
        self.letter, self.begun, self._is_led, self._settled = wanted, number, True, None
        if wanted not in self.grooves:
            self._choose(wanted, heard, here, other=playing)
        return is_new

    def follow(self, number: int, heard: Heard, here: Form) -> bool:
        """Find the passage that a bar belongs to, and its groove; whether it begins with this bar.

        It does where the guitar has played something else for a phrase, and the last passage has lasted as long.
        """
        at = len(self.letters)
        found = sections(heard) if at and not self._is_led else ()
        if not found:
            return number == 0
        now = passage(found, self.letters)
        if now.letter != self.letter and (at - now.bar) % PHRASE == 0 and number - self._changed >= PHRASE:
            self.letter, self.begun, self._changed = now.letter, number - at + now.bar, number
            if now.letter not in self.grooves:
                self._choose(now.letter, heard, here, found)
            return True
        self._settle(number, heard, found)
        return False

    @property
    def leads_on(self) -> bool:
        """Whether a groove of another kind begins with the next bar."""
        settled, playing = self._settled, self.groove
        if settled is None or playing is None or self.letter != FIRST:
            return False
        return not choosing.is_of_kind(settled, playing)

    def _settle(self, number: int, heard: Heard, found: Sequence[Section]) -> None:
        """Choose the groove of the first passage anew, a bar before it is played."""
        playing, is_blind = self.groove, choosing.asked(self.options, FIRST) is None
        if self._settled is not None:
            self.grooves[FIRST], self._settled = self._settled, None
        elif number + 1 in EARLY and self.letter == FIRST and playing and is_blind and len(heard.guitar.step):
            passages = [*found[:-1], found[-1]._replace(letter=FIRST)]
            self._settled = choosing.settled(heard, passages, self.options, FIRST, playing)

    def _choose(
        self,
        letter: str,
        heard: Heard | None,
        here: Form,
        found: Sequence[Section] = (),
        *,
        other: Groove | None = None,
    ) -> None:
        """Choose the groove of a passage, which is the last of those found; if nothing was heard, by what is asked for.

        other: what it must not be.
        """
        options = self.options
        passages = [*found[:-1], (found[-1] if found else Section(0, letter))._replace(letter=letter)]
        asked = choosing.asked(options, letter)
        if asked is not None:
            self.grooves[letter] = asked
        elif heard is None or not len(heard.guitar.step):
            kind = int(here.numerator[0]), int(here.denominator[0])
            self.grooves[letter] = choosing.unheard(kind, float(here.bpm[0]), options)
        elif other is not None:
            self.grooves[letter] = choosing.another(heard, passages, options, other)
        elif (playing := self.grooves.get(self.letters[-1])) is not None:
            self.grooves[letter] = choosing.better(heard, passages, options, letter, playing)
        else:
            self.grooves.setdefault(letter, None)
