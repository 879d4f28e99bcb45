"""What the project says of itself is so: README, CI, packaging, and what is loaded for playing."""

import ast
import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from client import cli as client_cli
from seq2drum import cli
from seq2drum.evaluate import report
from seq2drum.formats.midi import midi
from server import cli as server_cli
from tests.servers import process

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "docs" / "developers" / "map.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def blocks(language: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in blocks if name == language]


def command_under(heading: str) -> list[str]:
    """The steps of the first command under a heading."""
    after = README.split(f"\n## {heading}\n")[1]
    (command,) = re.search(r"```bash\n(.*?)```", after, flags=re.DOTALL).group(1).splitlines()
    return command.split(" && ")


def test_each_of_the_two_commands_is_one_line_that_begins_in_a_new_environment():
    for heading in ("Hear it", "Develop it"):
        assert command_under(heading)[:2] == ["python3.11 -m venv .venv", ". .venv/bin/activate"]


def test_the_first_command_installs_and_shows_what_the_project_does():
    assert command_under("Hear it")[2:] == ["pip install .", "python main.py --mode demo"]


def test_ci_runs_the_test_command_of_the_readme_and_all_checks():
    steps = [line.strip() for line in CI.splitlines()]
    commands = [*command_under("Develop it")[2:], "ruff check", "ruff format --check", "mypy", "lint-imports"]
    assert [command for command in commands if command not in steps] == []
    assert "set -euo pipefail" in steps


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no executable bit")
def test_ci_can_be_run():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_ci_tries_what_a_guitarist_does_in_an_environment_of_its_own():
    install, show = command_under("Hear it")[2:]
    steps = [line.strip() for line in CI.splitlines()]
    assert install in steps
    assert show.replace("python main.py", "seq2drum") in steps


def test_ci_plays_with_the_installed_torch_pin():
    (torch,) = [need for need in PROJECT["project"]["optional-dependencies"]["train"] if need.startswith("torch")]
    assert torch.startswith("torch==")
    assert f"pip install {torch}" in CI


def test_the_core_does_not_depend_on_torch():
    names = [re.match(r"[\w-]+", need).group() for need in PROJECT["project"]["dependencies"]]
    assert names
    assert {"torch", "lightning-fabric", "onnx", "tensorboard", "torchtext"}.isdisjoint(names)


def test_the_changelog_has_this_version_below_the_unreleased():
    headings = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings[:2] == ["Unreleased", PROJECT["project"]["version"]]


def test_the_readme_is_short():
    assert len(README.split()) < 1500


def test_no_file_is_above_650_lines_but_tests_and_what_is_generated():
    files = [
        path for top in ("seq2drum", "server", "client", "bench", "examples") for path in (ROOT / top).rglob("*.py")
    ]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files if path.parent.name != "rpc"}
    assert len(lengths) > 100
    assert {path.name: length for path, length in lengths.items() if length > 650} == {}


ROOMS = sorted(path.name for path in (ROOT / "seq2drum").iterdir() if (path / "__init__.py").exists())


def drawing(heading: str) -> str:
    """The drawing under a heading of the map."""
    return re.search(rf"^## {heading}$.*?^```\n(.*?)^```$", MAP, flags=re.DOTALL | re.MULTILINE).group(1)


def test_the_rooms_on_the_map_are_the_rooms_of_the_package():
    tree = drawing("The rooms")
    named = set(re.findall(r"^  (\w+\.py|\w+/)", tree, flags=re.MULTILINE))
    package = ROOT / "seq2drum"
    there = {path.name + "/" * path.is_dir() for path in package.iterdir()} - {
        "__init__.py",
        "__pycache__/",
        "py.typed",
    }
    assert named == there
    for top in re.findall(r"^(\S+)", tree, flags=re.MULTILINE):
        assert (ROOT / top).exists(), top


def test_the_arrows_on_the_map_are_those_that_the_linter_holds():
    (ladder,) = [
        contract["layers"]
        for contract in PROJECT["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers" and contract["containers"] == ["seq2drum"]
    ]
    rungs = [re.findall(r"\w+", rung) for rung in ladder]
    assert [line.split() for line in drawing("The arrows").splitlines()] == rungs
    assert len(rungs) <= 12


FILES = sorted(path for path in (ROOT / "seq2drum").rglob("*.py") if "rpc" not in path.parts)


def test_each_file_says_in_its_first_line_what_it_holds():
    first = {path: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in FILES}
    assert len(first) > 100
    assert [
        path for path, text in first.items() if not text or not text.splitlines()[0].endswith((".", "?", "`"))
    ] == []


JOURNEY = re.findall(r"^\|[^|]*\| `([\w.]+)` \|", MAP, flags=re.MULTILINE)


def calls_of(work) -> list[str]:
    """The functions of the package that some work calls, by module and name, in the order of their first calls."""
    called: dict[str, None] = {}

    def note(frame, event, argument):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("seq2drum."):
            name = f"{module.removeprefix('seq2drum.')}.{frame.f_code.co_qualname}"
            called.setdefault(name.removesuffix(".__post_init__"))

    before = sys.getprofile()
    sys.setprofile(note)
    threading.setprofile(note)  # a model is loaded in a thread
    try:
        work()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return list(called)


def test_a_song_passes_the_functions_on_the_map_in_their_order(tmp_path, capsys):
    song = str(ROOT / "examples" / "waltz.mid")
    calls = calls_of(lambda: cli.main(["--mode", "infer", song, "-o", str(tmp_path / "drums.mid")]))
    assert len(JOURNEY) > 25
    assert [name for name in JOURNEY if name not in calls] == []
    assert [name for name in calls if name in JOURNEY] == JOURNEY


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in ("cli", "rpc")])
def test_a_room_says_its_purpose_and_imports_nothing(room):
    (purpose,) = ast.parse((ROOT / "seq2drum" / room / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(purpose, ast.Expr) and isinstance(purpose.value, ast.Constant)


def test_pages_and_pictures_that_the_readme_points_at_are_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_python_in_the_readme_imports_only_existing_names():
    for block in blocks("python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = __import__(node.module, fromlist=[alias.name for alias in node.names])
                assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.fixture
def beside_examples(tmp_path, monkeypatch):
    """A folder with a copy of the examples and a song with drums, to try what the README says in."""
    ours = shutil.ignore_patterns("*.drums*.mid", "*.human.mid")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=ours)
    shutil.copy(ROOT / "examples" / "training" / "rock_riff_1.mid", tmp_path / "song.mid")
    monkeypatch.chdir(tmp_path)
    return tmp_path


TRIED = [
    lines
    for block in blocks("bash")
    if (lines := [line for line in block.splitlines() if re.match(r"python main.py .* examples/", line)])
]


def test_the_readme_has_commands_to_try():
    assert sum(map(len, TRIED)) >= 6


@pytest.mark.parametrize("commands", TRIED, ids=lambda commands: commands[0][len("python main.py ") :])
def test_what_the_readme_says_to_try_does_it(commands, beside_examples, capsys):
    """Each line of a block in its order, but for what wants loudspeakers: see test_play."""
    for command in commands:
        words = shlex.split(command)[2:]
        if words[1] == "play":
            continue
        before = set(beside_examples.rglob("*.mid"))
        assert cli.main(words) == 0
        made = set(beside_examples.rglob("*.mid")) - before
        assert made or words[1] == "show"
        for path in made:
            assert any(len(part) for part in midi.read(path).parts if part.is_drums)
        for name in re.findall(r"[\w.]+\.(?:png|svg|musicxml)\b", command):
            assert (beside_examples / name).stat().st_size > 1000


@pytest.mark.parametrize("block", blocks("python"))
def test_python_in_the_readme_does_what_it_says(block, beside_examples, capsys, tmp_path_factory):
    if "RemoteDrummer" in block:
        with process(tmp_path_factory.mktemp("server"), "--port", "0", "--engines", "1") as server:
            port = server.port()
            server.wait("ready in")
            exec(compile(block.replace("50051", str(port)), "README.md", "exec"), {})
    else:
        exec(compile(block, "README.md", "exec"), {})
    for name in re.findall(r'"([\w.]+\.(?:mid|png))"', block):
        assert (beside_examples / name).stat().st_size


def test_options_that_the_readme_names_are_options_of_the_command_line(capsys):
    for program, arguments in (
        (cli.main, []),
        *((cli.main, ["--mode", mode]) for mode in cli.MODES),
        (client_cli.main, []),
        (client_cli.main, ["watch"]),
        (server_cli.main, []),
    ):
        with contextlib.suppress(SystemExit):
            program([*arguments, "--help"])
    known = set(re.findall(r"--[a-z][\w-]*", capsys.readouterr().out))
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", README))
    assert named - known <= {"--dist", "--logdir"}  # of pytest and of TensorBoard


def table_of(text: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, its head first, without the line below the head."""
    lines = text.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in rows if set("".join(row)) != {"-"}]


def test_the_readme_has_the_five_figures_of_the_summary_as_the_results_have_them():
    results = (ROOT / "docs" / "researchers" / "results.md").read_text(encoding="utf-8")
    (first, *rows), (head, *known) = table_of(README, "How good is it?"), table_of(results, "In brief")
    assert len(first) == len(head) and head[1:] == list(report.FIGURES)
    figures = [set(re.findall(r"\d\.\d+", " ".join(row))) for row in known]
    for row in rows:
        assert any(set(re.findall(r"\d\.\d+", " ".join(row[1:]))) <= numbers for numbers in figures), row


def test_the_readmes_first_training_goes_on_from_the_shipped_model():
    (block,) = (block for block in blocks("bash") if "--mode train" in block)
    first = next(line for line in block.splitlines() if "--mode train" in line)
    assert "--start default" in first and "--minutes 1.5" in first


def test_no_figure_is_left_open():
    assert "TODO-FIGURE" not in README


PLAYING = (
    "cli",
    "play.drummer",
    "play.decode.decoding",
    "formats.midi.midi",
    "music.theory",
    "lattice.phrases",
    "lattice.features",
)


@pytest.mark.parametrize("module", PLAYING)
def test_importing_what_plays_imports_neither_torch_nor_music21_nor_matplotlib_nor_a_downloader(module):
    heavy = ("torch", "music21", "matplotlib", "lightning_fabric", "tensorboard", "onnx", "pySmartDL", "http.client")
    code = f"import sys, seq2drum.{module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("entrance", [["main.py"], ["-m", "seq2drum"]])
def test_main_py_and_the_module_are_the_same_program(entrance):
    done = subprocess.run([sys.executable, *entrance, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--mode" in done.stdout
    assert PROJECT["project"]["scripts"]["seq2drum"] == "seq2drum.cli:program"


@pytest.mark.parametrize("package", ["seq2drum", "client"])
def test_what_others_import_says_that_it_has_types(package):
    assert (ROOT / package / "py.typed").is_file()
