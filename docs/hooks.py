"""Pages of the documentation generated from other files, so that nothing is written twice.

mkdocs calls the functions `on_...`. The reference of the service comes from the comments of its contract; the
changelog, the experiment log, the model card, CONTRIBUTING and the notebooks' README are included unchanged.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from grpc_tools import protoc
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
CONTRACT = "seq2drum/v1/accompaniment.proto"
FOR_RESEARCHERS = ("Add a figure or a baseline", "Add a model family")  # sections of CONTRIBUTING
ELSEWHERE = {"../proto/seq2drum/v1/accompaniment.proto": "developers/grpc.md"}
"""Link targets outside docs/, as in the repository, and the pages that include them here."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Turn links out of docs/ into links to the page that includes their target."""
    for target, page in ELSEWHERE.items():
        markdown = markdown.replace(f"]({target})", f"]({page})")
    return markdown


def pages() -> dict[str, str]:
    """The text of each page that is made, by its path under docs/."""
    contributing = sections((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    added = [contributing.pop(heading) for heading in FOR_RESEARCHERS]
    return {
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        "developers/contributing.md": "".join(contributing.values()),
        "developers/grpc.md": reference(contract()),
        "researchers/add.md": "# Add a family or a figure\n\n" + "\n".join(reversed(added)),
        "researchers/card.md": (ROOT / "seq2drum" / "checkpoints" / "default" / "card.md").read_text(encoding="utf-8"),
        "researchers/notebooks.md": (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8"),
        "researchers/log.md": (ROOT / "notebooks" / "LOG.md").read_text(encoding="utf-8"),
    }


def sections(text: str) -> dict[str, str]:
    """A page cut before its headings of the second level, by heading; the text above the first is under ""."""
    pieces = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return {re.match(r"(?:## (.*))?", piece).group(1) or "": piece for piece in pieces}  # type: ignore[union-attr]


# --- the service -----------------------------------------------------------------------------------------------------


def contract() -> FileDescriptorProto:
    """The service's contract with its comments."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "contract"
        code = protoc.main(
            [
                "protoc",
                f"--proto_path={ROOT / 'proto'}",
                f"--proto_path={resources.files('grpc_tools') / '_proto'}",
                "--include_source_info",
                f"--descriptor_set_out={out}",
                CONTRACT,
            ]
        )
        if code:
            raise SystemExit(f"protoc could not read {CONTRACT} (exit code {code})")
        (found,) = FileDescriptorSet.FromString(out.read_bytes()).file
    return found


def reference(file: FileDescriptorProto) -> str:
    """The contract as a page: calls, messages, enums."""
    comments = {
        tuple(place.path): " ".join((place.leading_comments or place.trailing_comments).split())
        for place in file.source_code_info.location
    }
    detached = [text for place in file.source_code_info.location for text in place.leading_detached_comments]
    names = [message.name for message in file.message_type] + [enum.name for enum in file.enum_type]
    linked = re.compile(rf"\b({'|'.join(names)})\b")

    def said(*path: int) -> str:
        text = comments.get(path, "").replace("|", "\\|").replace("<", "&lt;")
        text = text.replace("docs/service.md", "[The service](../service.md#when-a-call-fails)")
        return linked.sub(lambda name: link(name.group()), text)

    lines = [
        "# gRPC reference",
        "",
        f"Made from the comments in `proto/{CONTRACT}`, package `{file.package}`.",
        "[The service](../service.md) says how it behaves, and lists every reason why a call can fail. "
        "[Clients](clients.md) shows how to call it.",
        "",
        comments.get((12,)) or " ".join(" ".join(detached).split()),
        "",
    ]
    for index, service in enumerate(file.service):
        lines += [f"## {service.name}", "", said(6, index), ""]
        for number, call in enumerate(service.method):
            asked, given = link(call.input_type), link(call.output_type)
            asked = f"a stream of {asked}" if call.client_streaming else asked
            given = f"a stream of {given}" if call.server_streaming else given
            lines += [f"### {call.name}", "", f"Takes {asked}. Gives {given}.", "", said(6, index, 2, number), ""]
    lines += ["## Messages", ""]
    for index, message in enumerate(file.message_type):
        lines += [f"### {message.name}", "", said(4, index), ""]
        rows = [
            (f"`{field.name}`", kind(field, message), str(field.number), said(4, index, 2, number))
            for number, field in enumerate(message.field)
        ]
        if any(field.HasField("oneof_index") and not field.proto3_optional for field in message.field):
            lines += ["One of these:", ""]
        lines += table(("field", "type", "number", "meaning"), rows) if rows else ["It has no fields.", ""]
    lines += ["## Enums", ""]
    for index, enum in enumerate(file.enum_type):
        lines += [f"### {enum.name}", "", said(5, index), ""]
        rows_ = [
            (f"`{value.name}`", str(value.number), said(5, index, 2, number)) for number, value in enumerate(enum.value)
        ]
        lines += table(("value", "number", "meaning"), rows_)
    return "\n".join(lines)


def kind(field: Field, message: DescriptorProto) -> str:
    """The type of a field of a message, as the contract says it."""
    for entry in message.nested_type:
        if entry.options.map_entry and field.type_name.endswith(f".{entry.name}"):
            key, value = (kind(one, entry) for one in entry.field)
            return f"map of {key} to {value}"
    if field.type in (Field.TYPE_MESSAGE, Field.TYPE_ENUM):
        name = link(field.type_name)
    else:
        name = Field.Type.Name(field.type).removeprefix("TYPE_").lower()
    if field.label == Field.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def link(type_name: str) -> str:
    """A message's or an enum's name as a link to where it stands on the page."""
    name = type_name.rpartition(".")[2]
    return f"[{name}](#{name.lower()})"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Lines of a table in Markdown, and an empty one."""

    def lines() -> Iterator[str]:
        yield from ("| " + " | ".join(cells) + " |" for cells in (head, ("---",) * len(head), *rows))
        yield ""

    return list(lines())
