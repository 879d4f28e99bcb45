"""The files of the page, by the names that lie in its folder and no others."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER = Path(__file__).parent / "page"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
}
"""The kinds of files that are given out, by the ends of their names."""
INDEX = "index.html"


class Files:
    """Gives out the files of a folder. A name is looked up among those that were there at the start, never opened."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._paths = {
            path.relative_to(folder).as_posix(): path
            for path in folder.rglob("*")
            if path.is_file() and path.suffix in KINDS
        }

    async def answer(self, request: Request) -> Response:
        """The file that a request names; the page itself where it names none."""
        name = request.path_params["name"] or INDEX
        path = self._paths.get(name)
        if path is None:
            return PlainTextResponse("There is no such page; the page itself is at /\n", 404)
        data = path.read_bytes()
        mark = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        headers = {"cache-control": "no-cache", "etag": mark}
        if mark in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type=KINDS[path.suffix])
