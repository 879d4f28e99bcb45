"""What pages are made of: templates that escape, and one style sheet."""

from __future__ import annotations

import base64
import re

import pytest
from jinja2 import UndefinedError

from seq2drum.show import page
from seq2drum.show.figures import ROLES
from seq2drum.show.page import Line, Table


def pieces(source: str, **values: object) -> str:
    """Some pieces, put together by a template of their own."""
    template = page._templates().from_string('{% import "pieces.html" as pieces %}' + source)
    return template.render(values)


def test_tables_pictures_and_legends_are_escaped() -> None:
    made = pieces(
        "{{ pieces.table(table) }}{{ pieces.picture(png, '<x>') }}{{ pieces.keys(lines) }}",
        table=Table(["<h>"], [["<c>"]]),
        png=page.png(b"\x00png"),
        lines=[Line("<l>", (), "guitar", True)],
    )
    for name in ("<h>", "<c>", "<l>", "<x>"):
        assert name not in made and name.replace("<", "&lt;").replace(">", "&gt;") in made
    assert base64.b64encode(b"\x00png").decode() in made
    assert '<li class="guitar dashed">' in made


def test_a_title_is_escaped_in_the_head_and_above_the_page() -> None:
    made = page.render("page.html", title="<t>")
    assert "<t>" not in made and made.count("&lt;t&gt;") == 2
    assert made.startswith("<!DOCTYPE html>") and made.endswith("</html>\n")


def test_a_table_without_a_head_has_none_and_one_of_words_says_so() -> None:
    assert "<thead>" not in pieces("{{ pieces.table(table) }}", table=Table([], [["a"]]))
    assert 'class="words"' in pieces("{{ pieces.table(table) }}", table=Table(["a"], [["b"]], words=True))


def test_a_value_missing_for_a_template_raises_an_error() -> None:
    with pytest.raises(UndefinedError, match="title"):
        page.render("page.html")


def test_the_style_sheet_has_a_colour_for_each_role_in_the_light_and_in_the_dark_and_a_style_for_paper() -> None:
    style = page.render("style.css")
    light, dark = (set(re.findall(r"--(\w+): #", part)) for part in re.findall(r":root \{(.*?)\}", style, re.S))
    assert set(ROLES) <= light == dark
    assert "prefers-color-scheme: dark" in style and "@media print" in style and "max-width: 40em" in style
    assert "url(" not in style and "@import" not in style


def test_a_table_shows_itself_in_a_notebook() -> None:
    shown = Table(["a"], [["<b>"]])._repr_html_()
    assert shown.startswith('<div class="seq2drum">') and "<td>&lt;b&gt;</td>" in shown
