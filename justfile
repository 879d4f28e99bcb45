# Commands for the day, and for who looks after the service: `pip install -e '.[dev,audit]'`, then `just` lists them.

image := "python:3.11-slim"

_list:
    @just --list

# The tests that end in minutes; `just test -m slow` for the others, `just test tests/play` for a room.
test *flags="-m 'not slow'":
    pytest -n auto --dist worksteal {{flags}}

# How much of the code the fast tests enter, by file, and in all.
coverage:
    pytest -n auto --dist worksteal -m 'not slow' --cov=seq2drum --cov=server --cov=client --cov-report=term:skip-covered

# Style, types, and the order of rooms and files.
check:
    ruff check
    ruff format --check
    mypy
    lint-imports

# Write code in the one style.
format:
    ruff check --fix
    ruff format

# The pages, on this machine's port 8000; `just docs build --strict` checks them.
docs *command="serve":
    mkdocs {{command}}

# Drums for a song with the code here.
play song *flags:
    python main.py infer {{song}} {{flags}}

# Build a release into an empty folder, and check what is in it.
release folder="dist":
    python .ci/release.py {{folder}}

# Lock what the image and the checks install, with hashes; `just lock --upgrade` takes the newest.
lock *flags:
    uv pip compile pyproject.toml --extra page --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet {{flags}} -o requirements/server.txt
    echo 'hatchling>=1.26' | uv pip compile - --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet {{flags}} -o requirements/build.txt

# Write a bill of materials (CycloneDX) of what is locked, and look for its known weaknesses.
audit:
    cyclonedx-py requirements requirements/server.txt --pyproject pyproject.toml --output-reproducible --of JSON -o sbom.json
    pip-audit --strict --disable-pip --require-hashes -r requirements/server.txt
    pip-audit --strict --disable-pip --require-hashes -r requirements/build.txt

# Build the image on a base that is named by its digest, which the registry is asked for.
build:
    docker build -t seq2drum --build-arg BASE={{image}}@$(docker buildx imagetools inspect {{image}} --format '{{{{json .Manifest}}' | python3 -c 'import json, sys; print(json.load(sys.stdin)["digest"])') .

# The service for an hour.
soak *flags:
    python -m bench soak {{flags}}
