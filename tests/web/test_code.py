"""The page's code: plain modules that are small, whose types agree, and whose pure parts are tried in Node."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from server.web.server import as_sent
from tests.web.conftest import FOLDER, PAGE, Node, modules

pytestmark = pytest.mark.skipif(not PAGE.is_dir(), reason="the page is not there")

MOST_BYTES = 130_000  # without the sounds
CODE = sorted(path for path in PAGE.rglob("*") if path.suffix in (".js", ".html", ".css", ".svg", ".json"))
CODE = [path for path in CODE if "sounds" not in path.relative_to(PAGE).parts]


def test_the_page_without_its_sounds_is_small():
    """As it is sent, which is as gzip."""
    sizes = {path.name: len(as_sent(path.read_bytes(), path.suffix)) for path in CODE}
    assert sum(sizes.values()) < MOST_BYTES, sizes


def test_scripts_and_styles_are_sent_without_comments_and_with_their_lines():
    script = b"/**\n * @param {string} one\n */\nconst f = (/** @type {number} */ two) => `${two} * /`; // 3\n  // 4\n"
    script += b"  const address = 'http:// no comment';\n"
    sent = b"\n\n\nconst f = ( two) => `${two} * /`;\n\nconst address = 'http:// no comment';\n"
    assert gzip.decompress(as_sent(script, ".js")) == sent
    style = b"/* colours */\n.a { color: red; } /* and\nmore */\n  .b { margin: 0; }\n"
    assert gzip.decompress(as_sent(style, ".css")) == b"\n.a { color: red; } \n\n.b { margin: 0; }\n"
    assert gzip.decompress(as_sent(script, ".html")) == script


def test_no_text_of_a_script_is_longer_than_its_line_as_indents_are_not_sent():
    for path in CODE:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert path.suffix != ".js" or line.count("`") % 2 == 0, f"{path.name}:{number}"


def test_no_file_of_the_page_is_above_450_lines():
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in CODE}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def test_nothing_of_the_page_names_another_place():
    """A request beyond the server would need an address."""
    for path in CODE:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"""(?:https?:|wss?:)?//[\w.-]+\.[a-z]{2,}[/"'`]""", text) == [], path.name


def test_the_page_has_no_script_or_style_inside_its_html():
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:", html) == []


def test_packages_of_node_are_pinned_and_none_is_shipped():
    package = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    assert "dependencies" not in package
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["devDependencies"].values())


@pytest.mark.slow
def test_types_of_the_page_agree(node: Node):
    done = node(modules("typescript") / "typescript" / "bin" / "tsc", "-p", FOLDER / "tsconfig.json")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_eslint_has_nothing_to_say_of_the_page(node: Node):
    configuration = FOLDER / "eslint.config.mjs"
    eslint = modules("eslint") / "eslint" / "bin" / "eslint.js"
    done = node(eslint, "-c", configuration, "--max-warnings", "0", PAGE, *FOLDER.glob("*.mjs"))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.slow
def test_modules_without_a_document_do_what_their_tests_in_node_say(node: Node):
    tests = sorted(FOLDER.glob("*.test.mjs"))
    if not tests:
        pytest.skip("no module has a test in Node yet")
    done = node("--test", *tests)
    assert done.returncode == 0, done.stdout[-4000:]
