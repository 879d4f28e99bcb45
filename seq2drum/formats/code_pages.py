"""Code pages of names, which a file does not state, guessed from their letters.

A word in the wrong page shows: Cyrillic read as Western letters has words of accents alone ("Äîðîæêà"), Western letters
read as Cyrillic are beside plain ones in one word ("Fьr").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

PAGES = ("utf-8", "cp1252", "cp1251", "cp932", "gbk")
"""Candidates, UTF-8, Western, Cyrillic and Asian ones; of several that fit alike the first one wins."""
_SINGLE_BYTE = ("cp1252", "cp1251")
_WORD = re.compile(r"[^\W\d_]+")
_CHINESE_OR_JAPANESE = frozenset({"CJK", "HIRAGANA", "KATAKANA"})


def page_of(names: Sequence[bytes]) -> str:
    """The page in which the fewest words of some names look wrong."""
    return min(PAGES, key=lambda page: _strange_words(b" ".join(names), page))


def page_for(names: Sequence[str]) -> str:
    """A page of one byte a letter to write names in: one with all their letters, else the Western one."""
    text = "".join(names)
    return next((page for page in _SINGLE_BYTE if text.encode(page, "replace").decode(page) == text), _SINGLE_BYTE[0])


def _strange_words(text: bytes, page: str) -> int:
    """The number of words that look wrong in a page; more than possible for text outside the page."""
    try:
        words = _WORD.findall(text.decode(page))
    except UnicodeDecodeError:
        return len(text) + 1
    return sum(not (word.isascii() or _is_word(word)) for word in words)


def _is_word(word: str) -> bool:
    """Return whether the letters of a word beyond ASCII are of one script, as in real words."""
    scripts = {re.split("[ -]", unicodedata.name(letter, ""))[0] for letter in word}
    if scripts == {"LATIN"}:
        return len(word) == 1 or any(letter.isascii() for letter in word)
    if scripts == {"CYRILLIC"}:
        return word.isupper() or word[1:].islower() or len(word) == 1
    return bool(scripts & _CHINESE_OR_JAPANESE) and scripts <= _CHINESE_OR_JAPANESE | {"LATIN"}
