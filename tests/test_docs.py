"""What the pages say is so: their commands run, their Python runs, what they show is what is printed.

A page is tried from top to bottom in a folder of its own, with a copy of the examples and what `READER_HAS`. Of a page:

    ```bash      commands, each run here or named in NOT_RUN with the reason why not
    ```text      after a ```bash block: what its last command prints; `...` stands for anything
    ```console   commands after `$ ` and what they print; they may fail
    ```python    run, all of a page in one program
"""

import contextlib
import functools
import importlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest

from client import cli as client_cli
from client import errors as client_errors
from seq2drum import cli, errors
from seq2drum.cli import signing
from seq2drum.formats.drum_picture import write_drum_picture
from seq2drum.formats.midi import midi
from seq2drum.lattice.patterns import picture_of
from seq2drum.learn.grooves import book
from seq2drum.music.choices import GENERATORS
from seq2drum.music.notes import Note, Part, Song
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.show import engraving, sound
from server import cli as server_cli
from tests.servers import process

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md"))
ALSO = ("README.md", "CONTRIBUTING.md", "notebooks/README.md")
FIRST = ("docs/index.md", "docs/guitarists/play.md", "docs/developers/python.md")
# The README's Python, and what it says to try on the examples, are tried by test_project.py.
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Commands that are not run here, and why.
NOT_RUN = {
    r"python3(\.11)? -m venv \.venv": ".ci/run makes environments",
    r"\. \.venv/bin/activate": ".ci/run makes environments",
    r"pip install ": "installs; that what it names exists is tested below, and .ci/run installs",
    r"uvx |pipx |seq2drum$": "installs, or opens the page; .ci/run does, and tests/web",
    r"pytest": "this is it",
    r"seq2drum .*riff\.wav": "wants the extra audio; tests/formats/test_audio.py plays to recordings",
    r"seq2drum watch ": "never ends; tests/cli tries it, and that words such as watch name a mode",
    r"sudo apt": "installs programs",
    r"brew ": "installs programs",
    r"seq2drum --print-|mkdir -p ~/|man seq2drum$": "writes into a home; test_newcomer.py tries it",
    r"seq2drum --mode eval .*--listen ": "wants listeners; test_comparison.py makes a page and reads votes",
    r'seq2drum --mode jam (--ports|.*--out "EZ)': "wants MIDI ports; tests/cli/test_jam.py has a stand-in for them",
    r"\(echo ": "wants a token and curl; tests/server/test_web.py asks over HTTP",
    r"seq2drum --mode shortcut": "writes into a home; tests/cli/test_shortcut.py writes into others",
    r"python -m client mcp ": "serves an assistant; test_mcp.py is one",
    r"python -m server --model mine=runs/mine --trust ": "serves until it is ended; test_untrusted.py trusts",
    r"tensorboard ": "serves until it is ended",
    r"python -m seq2drum\.learn\.[\w.]+ (--|runs/)": "wants a corpus; tests/learn trains",
    r"seq2drum --mode eval --model \w+ .*--data groove": "wants the data set; tests/evaluate/test_beats.py has figures",
    r"seq2drum --mode train --cache shards/.* --out runs/big": "wants shards; tests/learn has some",
    r"torchrun ": "starts several processes; tests/learn does",
    r"seq2drum .*--engine slurm|RAY_ADDRESS=": "wants a cluster; tests/data/test_stages.py stands in for one",
    r"jupyter ": "opens a browser",
    r"python notebooks/sync\.py ": "test_notebooks.py runs it",
    r"seq2drum --mode generate .*--play": "wants loudspeakers; test_generate.py streams",
    r"(seq2drum|python main\.py) --mode play (?!.*-o )": "wants loudspeakers; test_play.py plays",
    r"cd examples/node$|npm install|node drums\.mjs": "test_node.py calls from Node",
    r"grpcurl |echo .*\| grpcurl": "a program of others; docs/service.md says that it was not tried",
}
SUFFIXES = {"html", "js", "json", "md", "mid", "onnx", "png", "py", "svg", "txt", "wav"}  # of names of files
WINDOWS = (
    "py -m venv .venv",
    r".venv\Scripts\activate",
    "pip install .",
    "winget install FluidSynth.FluidSynth",
    "seq2drum --print-completion powershell >> $PROFILE",
)
# Settings that make a command small; of an option that is given twice, the last holds.
SMALL = {
    "prepare": ["--workers", "1"],
    "train": [
        "--batch",
        "16",
        "--threads",
        "1",
        "--workers",
        "1",
        "--size",
        "hidden=20",
        "reader=8",
        "units=16",
        "kept=16",
    ],
    "eval": ["--songs", "2", "--bars", "4", "--takes", "1", "--workers", "1", "--no-critic", "--split", "all"],
}
SMALL_NUMBERS = {"--minutes": "0.02", "--epochs": "1"}
OTHERS_OPTIONS = {
    "--artist",  # of learn.adapt.judging and takes
    "--learn",
    "--nproc-per-node",
    "--standalone",
    "--job-name",
    "--nodes",
    "--ntasks-per-node",
    "--gpus-per-node",
    "--cpus-per-task",
    "--time",
    "--requeue",
    "--nnodes",
    "--max-restarts",
    "--rdzv-backend",
    "--rdzv-endpoint",
    "--rdzv-id",
    "--logdir",
    "--no-deps",
    "--from",
    "--steps",
    "--data-binary",
}  # of torchrun, tensorboard, pip, uvx, seq2drum.learn, curl


class Block(NamedTuple):
    """A fenced block: its page, the line where it begins, its language, its text."""

    page: str
    line: int
    language: str
    text: str


@functools.cache
def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = []
    for match in re.finditer(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", text, flags=re.DOTALL | re.MULTILINE):
        line = text.count("\n", 0, match.start()) + 1
        blocks.append(Block(page, line, match.group(2), textwrap.dedent(match.group(3))))
    return blocks


def commands(text: str) -> list[str]:
    """Single commands of a block, without comments."""
    joined = re.sub(r"\\\n\s*", "", text)
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines()]
    return [command for line in lines if line for command in line.split(" && ")]


ALL = [block for page in (*PAGES, *ALSO) for block in blocks(page)]
SHELL = [(block, command) for block in ALL if block.language == "bash" for command in commands(block.text)]


# --- what a reader has ------------------------------------------------------------------------------------------------


def reader_has(folder: Path) -> None:
    """The files that pages speak of."""
    ours = shutil.ignore_patterns("*.drums*.mid", "*.human.mid", "node_modules")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=ours)
    training = folder / "examples" / "training"
    for name in ("songs", "new_songs", "DIR", "NEW"):
        shutil.copytree(training, folder / name)
    for name in ("song.mid", "SONG.mid"):
        shutil.copy(training / "rock_riff_1.mid", folder / name)
    for name in ("EXPORTED", "exported"):
        (folder / name).mkdir()
        shutil.copy(folder / "examples" / "ballad.mid", folder / name / "riff.mid")
    picture = picture_of(Part.of([Note(at, 60, 38, 90) for at in range(480, 15360, 960)], is_drums=True))
    (folder / "painted.png").write_bytes(write_drum_picture(picture))
    (folder / "my_map.json").write_text('{"kick": 36, "snare": [38, 40], "clap": null}')


def reader_stumbles_over(folder: Path) -> None:
    """Damaged and unusual files that pages speak of."""
    example = (folder / "examples" / "funk.mid").read_bytes()
    (folder / "empty.mid").write_bytes(b"")
    (folder / "letter.mid").write_text("Dear drummer,")
    (folder / "scan.pdf").write_bytes(b"%PDF-1.7")
    (folder / "half.mid").write_bytes(example[: len(example) // 2])
    (folder / "huge.mid").write_bytes(example + bytes(1 << 20))
    (folder / "not_a_score.musicxml").write_text("Dear drummer,")
    (folder / "half.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    notes = [Note(480 * beat, 240, 60, 90) for beat in range(8)]
    keys, bass = (Part.of(notes, program=program, name=name) for program, name in ((0, "Piano"), (33, "Bass")))
    (folder / "keys.mid").write_bytes(midi.serialise(Song(480, (keys, bass))))
    (folder / "silent.mid").write_bytes(midi.serialise(Song(480, ())))
    (folder / "no_songs").mkdir()
    (folder / "my_model").mkdir()
    (folder / "my_model" / "config.json").write_text("{}")


# --- running ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Starts a server when it is first asked for; gives its port."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def port() -> int:
            folder = tmp_path_factory.mktemp("server")
            started = stack.enter_context(process(folder, "--port", "0", "--engines", "1"))
            port = started.port()
            started.wait("ready in")
            return port

        yield port


class Shell:
    """Runs commands in this process, as far as they are the project's own."""

    def __init__(self, server, *, force: bool):
        self.server, self.force = server, force
        self.printed = ""

    def run(self, command: str) -> int:
        """Run a command; returns its exit code. What it printed is in `printed`."""
        words = shlex.split(command)
        if words[:2] == ["python", "main.py"] or words[:3] == ["python", "-m", "seq2drum"] or words[0] == "seq2drum":
            arguments = words[1 if words[0] == "seq2drum" else 2 if words[1] == "main.py" else 3 :]
            return self._inside(cli.main, small(arguments, force=self.force))
        if words[:3] == ["python", "-m", "seq2drum.learn.grooves.book"]:
            return self._inside(book.main, words[3:])
        if words[:3] == ["python", "-m", "seq2drum.cli.signing"]:
            return self._inside(signing.main, words[3:])
        if words[:3] == ["python", "-m", "client"]:
            port = str(self.server())
            arguments = [word.replace("50051", port) for word in words[3:]]
            arguments += ["--once"] if arguments[0] == "watch" else []
            arguments += [] if "--server" in arguments else ["--server", f"localhost:{port}"]
            return self._inside(client_cli.main, arguments)
        if words == ["python", "-m", "server"]:
            return 0 if self.server() else 1
        if words[:4] == ["python", "-m", "bench", "lattice"]:
            program = [sys.executable, *words[1:]]
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            done = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
            self.printed = done.stdout + done.stderr
            return done.returncode
        raise AssertionError(f"{command!r} is not known here; run it in this test, or name it in NOT_RUN")

    def _inside(self, main, arguments: list[str]) -> int:
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                code = main(arguments)
            except SystemExit as end:
                code = int(end.code or 0)
        self.printed = out.buffer.getvalue().decode()
        return code


def small(arguments: list[str], *, force: bool) -> list[str]:
    """The same command with small settings, so that it ends quickly."""
    given = arguments[:]
    for option, number in SMALL_NUMBERS.items():
        if option in given:
            given[given.index(option) + 1] = number
    mode = arguments[arguments.index("--mode") + 1] if "--mode" in arguments else "infer"
    forced = ["--force"] if force and mode in ("infer", "generate", "humanize", "eval") else []
    if mode == "train" and set(given) & {*GENERATORS, "--start"}:  # which have no sizes, or those of another model
        return [*given, "--batch", "16", "--threads", "1"]
    return given + SMALL.get(mode, []) + forced


def not_run(command: str) -> list[str]:
    return [pattern for pattern in NOT_RUN if re.match(pattern, command)]


def assert_prints(printed: str, expected: str, where: str) -> None:
    pattern = ".*?".join(re.escape(piece) for piece in expected.strip().split("..."))
    assert re.fullmatch(pattern, printed.strip(), flags=re.DOTALL), f"{where}: printed was\n{printed}"


def tried() -> list[object]:
    """The pages that have something to try. All together take their time; those that are read first are tried first."""
    pages = [page for page in (*PAGES, *ALSO) if blocks(page)]
    return [page if page in FIRST else pytest.param(page, marks=pytest.mark.slow) for page in pages]


@pytest.mark.parametrize("page", tried())
def test_commands_and_python_of_a_page_run(page, tmp_path, monkeypatch, server):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    reader_has(tmp_path)
    reader_stumbles_over(tmp_path)
    text = "".join(block.text for block in blocks(page))
    for run in ("runs/mine", "runs/NAME"):
        if run in text and "--mode train" not in text:  # it was trained on another page
            shutil.copytree(ROOT / "seq2drum" / "checkpoints" / "default", tmp_path / run)
    shell, names = Shell(server, force=page in ALSO), {}  # those speak of one SONG.mid again and again
    for block in blocks(page):
        where = f"{page}, line {block.line}"
        if block.language == "bash":
            shell.printed = ""
            for command in commands(block.text):
                if not not_run(command) and not (page == "README.md" and " examples/" in command):
                    status = shell.run(command)
                    if status and "needs FluidSynth" in shell.printed and shutil.which("fluidsynth") is None:
                        pytest.skip(f"{command} needs the program fluidsynth")
                    assert status == 0, f"{where}: {command}\n{shell.printed}"
        elif block.language == "text":
            assert_prints(shell.printed, block.text, where)
        elif block.language == "console":
            for piece in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, expected = piece.partition("\n")
                shell.run(command)
                assert_prints(shell.printed, expected, f"{where}: {command}")
        elif block.language == "python" and page in PAGES:
            code = (
                block.text.replace("localhost:50051", f"localhost:{server()}") if "50051" in block.text else block.text
            )
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile("\n" * block.line + code, page, "exec", dont_inherit=True), names)


def test_blocks_are_in_languages_that_are_tried():
    unknown = {(block.page, block.line, block.language) for block in ALL} - {
        (block.page, block.line, block.language)
        for block in ALL
        if block.language in {"", "bash", "text", "console", "python", "json", "bat"}
    }
    assert unknown == set()


def test_every_exception_from_running_matches_a_command_of_a_page():
    """An entry that no page needs could hide a later mistake."""
    assert [pattern for pattern in NOT_RUN if not any(re.match(pattern, command) for _, command in SHELL)] == []


def test_what_is_to_be_installed_exists():
    extras = set(PROJECT["project"]["optional-dependencies"])
    named = {extra for block, command in SHELL for extra in re.findall(r"^pip install .*\[([\w,]+)\]", command)}
    assert {part for extra in named for part in extra.split(",")} <= extras
    for block in ALL:
        if block.language == "bat":
            for line in block.text.splitlines():
                assert line in WINDOWS, f"{block.page}: {line}"


# --- options ----------------------------------------------------------------------------------------------------------


@functools.cache
def options_of(*command: str) -> frozenset[str]:
    """All options of a program, as its help lists them, and that of each mode if it has modes."""
    program = {"seq2drum": cli.main, "client": client_cli.main, "server": server_cli.main}[command[0]]
    modes = [["--mode", mode] for mode in cli.MODES] if command == ("seq2drum",) else []
    with contextlib.redirect_stdout(io.StringIO()) as out:
        for words in ([], *modes):
            with contextlib.suppress(SystemExit):
                program([*command[1:], *words, "--help"])
    return frozenset(re.findall(r"(?<![\w-])--[a-z][\w-]*", out.getvalue()))


@functools.cache
def options_of_benches() -> frozenset[str]:
    """The options that the benches add to their parsers; to import them all wants a browser and a GPU's libraries."""
    sources = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "bench").glob("*.py")))
    return frozenset(re.findall(r"""add_argument\(\s*"(--[a-z-]+)\"""", sources))


def options_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][\w-]*\w(?![\w-])", text))


@pytest.mark.parametrize("page", PAGES)
def test_options_that_a_page_names_exist(page):
    known = (
        options_of("seq2drum")
        | options_of("client")
        | options_of("client", "watch")
        | options_of("client", "compose")
        | options_of("server")
        | options_of_benches()
    )
    assert options_in((ROOT / page).read_text(encoding="utf-8")) - known - OTHERS_OPTIONS == set()


def test_the_section_of_a_mode_on_the_page_of_options_names_all_of_its_options_and_no_other():
    page = (DOCS / "guitarists" / "options.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## [^\n]*`--mode (\w+)`\n(.*?)(?=^## |\Z)", page, flags=re.DOTALL | re.MULTILINE))
    modes = {"infer", "jam", "show", "play", "grooves", "generate", "page", "watch", "demo", "humanize", "adapt"}
    modes |= {"shortcut", "doctor"}
    assert sections.keys() == modes
    for mode, section in sections.items():
        firsts = [row.split(" | ")[0] for row in section.splitlines() if row.startswith("| ")]
        named = options_in("\n".join(firsts)) | ({"--output"} if any("`-o" in first for first in firsts) else set())
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
            cli.main(["--mode", mode, "--help"])
        listed = set(re.findall(r"^  (?:-\w[^,]*, )?(--[\w-]+)", out.getvalue(), flags=re.MULTILINE))
        assert named == listed - {"--help"}, mode


def test_every_option_is_in_a_table():
    rows = [
        line
        for page in PAGES
        if "/guitarists/" in page or "/researchers/" in page
        for line in (ROOT / page).read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    named = options_in("\n".join(row.split(" | ")[0] for row in rows))
    assert options_of("seq2drum") - named - {"--help", "--version", "--mode"} - OTHERS_OPTIONS == set()


# --- errors -----------------------------------------------------------------------------------------------------------


def tree(module) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, errors.Seq2DrumError) and value.__module__ == module.__name__
    }


def test_every_error_is_under_a_heading_of_its_own():
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^###? .*`(\w+)`", page, flags=re.MULTILINE))
    assert headings == tree(errors) | tree(client_errors)


def test_every_error_that_has_no_kinds_is_shown_as_it_is_printed():
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    for name in tree(errors):
        kinds = getattr(errors, name).__subclasses__()
        if not kinds and name != "MissingExtraError":
            section = re.split(rf"^###? .*`{name}`$", page, flags=re.MULTILINE)[1]
            assert "```console" in re.split(r"^##", section, flags=re.MULTILINE)[0], name


def test_messages_about_missing_programs_are_those_printed(monkeypatch):
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    monkeypatch.setitem(sys.modules, "verovio", None)
    monkeypatch.setenv("PATH", "")
    for check in (engraving.check, sound.check):
        with pytest.raises(errors.MissingExtraError) as missing:
            check()
        assert f"| `{str(missing.value).split(',')[0]}" in page


# --- pages that are made ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made():
    pytest.importorskip("mkdocs")
    sys.path.insert(0, str(DOCS))
    try:
        import hooks
    finally:
        sys.path.remove(str(DOCS))
    return hooks.pages()


def test_the_reference_of_the_service_has_every_call_message_field_and_comment(made):
    page = made["developers/grpc.md"]
    headings = set(re.findall(r"^### (\w+)$", page, flags=re.MULTILINE))
    service = pb.DESCRIPTOR.services_by_name["AccompanimentService"]
    assert headings == {
        *service.methods_by_name,
        *pb.DESCRIPTOR.message_types_by_name,
        *pb.DESCRIPTOR.enum_types_by_name,
    }
    for name, message in pb.DESCRIPTOR.message_types_by_name.items():
        section = page.split(f"### {name}\n")[1].split("\n##")[0]
        rows = re.findall(r"^\| `(\w+)` \| .+ \| (\d+) \| (.+) \|$", section, flags=re.MULTILINE)
        assert [(field, int(number)) for field, number, _ in rows] == [(f.name, f.number) for f in message.fields]
        assert all(text.strip() for *_, text in rows)
    for target in re.findall(r"\]\(#(\w+)\)", page):
        assert target in {heading.lower() for heading in headings}


@pytest.mark.slow
def test_what_the_page_of_sounds_says_to_type_makes_what_is_heard_there(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mkdocs")
    monkeypatch.syspath_prepend(str(DOCS))
    import listening

    monkeypatch.chdir(tmp_path)
    reader_has(tmp_path)
    monkeypatch.setattr(listening, "SONGS", {"seven_eight": "Seven eighths"})
    text = listening.page({name: listening.heard(name) for name in listening.SONGS})
    (command,) = re.findall(r"^seq2drum (.*)$", text, flags=re.MULTILINE)
    words = shlex.split(command) if "<audio" in text else shlex.split(command.partition(" --wav")[0])
    assert cli.main([*words, "--with-guitar"]) == 0
    made = listening.heard("seven_eight").take.to_bytes(with_guitar=True)
    assert (tmp_path / "seven_eight.mid").read_bytes() == made
    assert (tmp_path / "seven_eight.png").stat().st_size > 1000


def test_no_section_of_contributing_is_lost(made):
    whole = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = made["developers/contributing.md"] + made["researchers/add.md"]
    assert {line for line in whole.splitlines() if line} <= set(shown.splitlines())


# --- words ------------------------------------------------------------------------------------------------------------


def test_what_the_glossary_places_in_the_package_is_there():
    terms = re.findall(r"^(.+)\n:   ", (DOCS / "glossary.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(terms) > 50
    assert len({term.split(" (")[0].lower() for term in terms}) == len(terms)
    for place in re.findall(r"`([\w.]+)`", "\n".join(terms)):
        module, _, name = place.rpartition(".")
        if name.islower():
            importlib.import_module(f"seq2drum.{place}")
        else:
            assert hasattr(importlib.import_module(f"seq2drum.{module}"), name), place


@pytest.mark.parametrize("page", [*PAGES, *ALSO])
def test_functions_that_a_page_names_by_their_module_are_there(page):
    """Such as `walk_graph` of `base`, or `chosen` of `play.grooves.choosing`; others are not looked at."""
    modules: dict[str, list[str]] = {}
    for path in sorted((ROOT / "seq2drum").rglob("*.py")):
        modules.setdefault(path.stem, []).append(".".join(path.relative_to(ROOT).with_suffix("").parts))
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:seq2drum\.)?(?:\w+\.)?(\w+)\.(\w+)(?:\(\))?`", text))
    missing = [
        f"{module}.{name}"
        for module, name in sorted(named)
        if module in modules and name not in SUFFIXES
        if not any(hasattr(importlib.import_module(place), name) for place in modules[module])
        if not any(place.endswith(f".{module}.{name}") for place in modules.get(name, ()))
    ]
    assert missing == []


@pytest.mark.parametrize("page", [*PAGES, *ALSO, "SECURITY.md"])
def test_files_that_a_page_names_are_there(page):
    """Files of the repository, from its root or from the package; not those that a reader makes."""
    rooms = {path.name for folder in (ROOT, ROOT / "seq2drum") for path in folder.iterdir() if path.is_dir()}
    named = re.findall(r"`(?:python )?(\w+)(/[\w./-]+)[` ]", (ROOT / page).read_text(encoding="utf-8"))
    files = {top + rest for top, rest in named if top in rooms and "NAME" not in rest and ".drums." not in rest}
    assert [name for name in sorted(files) if not ((ROOT / name).exists() or (ROOT / "seq2drum" / name).exists())] == []


def test_what_a_score_of_a_take_is_is_said_alike_wherever_it_is_said():
    places = ("docs/developers/python.md", "docs/researchers/models.md", "proto/seq2drum/v1/accompaniment.proto")
    code = ("seq2drum/console/terminal.py", "seq2drum/play/take.py", "client/messages.py", "server/web/page/edits.js")
    for place in (*places, *code):
        text = " ".join((ROOT / place).read_text(encoding="utf-8").split())
        assert "with what a drummer would play" in text, place
        assert not re.search(r"other takes agree|agreement with the other|in common with the others", text), place


def test_the_questions_say_of_recordings_what_the_inputs_say():
    text = (DOCS / "guitarists" / "faq.md").read_text(encoding="utf-8")
    (answer,) = re.findall(r"^\*\*I have audio, not MIDI\.\*\*(.*?)\n\n", text, flags=re.DOTALL | re.MULTILINE)
    assert "inputs.md#play-to-a-recording" in answer and "cannot" not in answer


# --- the site ---------------------------------------------------------------------------------------------------------


def test_ci_builds_the_pages_and_takes_no_warning():
    assert "mkdocs build --strict" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [*PAGES, *ALSO])
def test_what_is_inside_an_item_is_four_spaces_in_or_the_site_takes_it_for_an_item_of_its_own(page):
    prose = re.sub(r"^( *)```.*?^\1```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"^ {1,3}(?:[-*|]|\d+\.) .*", prose, flags=re.MULTILINE) == []


def root(page: Path, address: str, site: Path) -> Path:
    """Where an address in a page of the site begins."""
    return site if address.startswith("/") else page.parent


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    pytest.importorskip("mkdocs")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False, env=quiet)
    assert done.returncode == 0, done.stderr
    loads = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"' >]+)")
    styles = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)")
    pages = [path for path in tmp_path.rglob("*") if path.suffix in {".html", ".css"}]
    assert len(pages) > 20
    for path in pages:
        text = path.read_text(encoding="utf-8")
        addresses = loads.findall(text) if path.suffix == ".html" else styles.findall(text)
        assert addresses == [], path
        assert re.findall(r"[.:>]\s\d+\. <strong>.*", text) == [], path  # an item that became part of the one before
        if path.suffix == ".html":
            named = re.findall(r"<(?:a|img|audio|script|link)\b[^>]*?\b(?:src|href)=[\"']?([^\"' >#?]+)", text)
            inside = {unquote(one) for one in named if not re.match(r"\w+:", one)}
            assert [
                one for one in sorted(inside) if not (root(path, one, tmp_path) / one.lstrip("/")).exists()
            ] == [], path
    heard = (tmp_path / "guitarists" / "hear.html").read_text(encoding="utf-8")
    assert heard.count("<audio") in (0, 6) and heard.count("hear-") >= 12  # sounds where FluidSynth is
