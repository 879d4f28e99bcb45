"""The files of the page, by the names that lie in its folder and no others."""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

import seq2drum

FOLDER = Path(__file__).parent / "page"
EXAMPLE = Path(seq2drum.__file__).parent / "songs" / "blues_shuffle.mid"
"""The song that comes with the package, for whoever has none at hand: given out as example.mid."""
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mid": "audio/midi",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
}
"""The kinds of files that are given out, by the ends of their names."""
SMALLER = (".css", ".html", ".js", ".json", ".svg", ".txt")
"""What is sent as gzip to a browser that takes it: a third of its bytes."""
INDEX = "index.html"


class Files:
    """Gives out the files of a folder. A name is looked up among those that were there at the start, never opened."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._paths = {
            path.relative_to(folder).as_posix(): path
            for path in folder.rglob("*")
            if path.is_file() and path.suffix in KINDS
        } | {"example.mid": EXAMPLE}

    async def answer(self, request: Request) -> Response:
        """The file that a request names; the page itself where it names none."""
        name = request.path_params["name"] or INDEX
        path = self._paths.get(name)
        if path is None:
            return PlainTextResponse("There is no such page; the page itself is at /\n", 404)
        data = path.read_bytes()
        packed = path.suffix in SMALLER and "gzip" in request.headers.get("accept-encoding", "")
        mark = f'"{hashlib.sha256(data).hexdigest()[:32]}{"-gzip" * packed}"'
        headers = {"cache-control": "no-cache", "etag": mark, "vary": "accept-encoding"}
        if mark in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if packed:
            data, headers["content-encoding"] = _smaller(data), "gzip"
        return Response(data, headers=headers, media_type=KINDS[path.suffix])


@lru_cache(maxsize=128)
def _smaller(data: bytes) -> bytes:
    """The bytes of a file as gzip, without a time in it."""
    return gzip.compress(data, mtime=0)
