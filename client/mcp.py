"""The client for an assistant: the Model Context Protocol on the standard streams."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from client.mcp_tools import Connect, Folders, Tool, Tools
from seq2drum import __version__
from seq2drum.errors import Seq2DrumError

INSTRUCTIONS = """A drummer for the user's guitar. Songs are files in folders that the user has opened for you: MIDI, \
MusicXML, MuseScore, Guitar Pro and other tabs, recordings. look_at_song analyses one, make_drums writes drums for it, \
explain describes them bar by bar, draw shows them, redo_bars changes some bars and keeps the rest. Bars and parts \
count from 1. No file is replaced unless overwrite is true: ask the user first. When a tool refuses, its message says \
what to do."""


async def serve(folders: Sequence[str], connect: Connect) -> None:
    """Serve an assistant until it disconnects. folders: open to it. connect: opens the connection to a server.

    Raises:
        OptionError: a folder does not exist.
    """
    tools = Tools(Folders(folders), connect)

    async def list_tools(_: Any, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(tool) for tool in tools.by_name.values()])

    async def call_tool(_: Any, request: types.CallToolRequestParams) -> types.CallToolResult:
        return await _called(tools, request.name, request.arguments or {})

    server = Server(
        "seq2drum",
        version=__version__,
        title="seq2drum, a drummer for your guitar",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    try:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())
    except* ConnectionError:
        pass  # an assistant that dies in a call has disconnected, too


def _described(tool: Tool) -> types.Tool:
    """Return a tool as the protocol describes it."""
    hints = types.ToolAnnotations(
        read_only_hint=not tool.writes, destructive_hint=tool.writes, idempotent_hint=True, open_world_hint=False
    )
    return types.Tool(name=tool.name, description=tool.about, input_schema=tool.wanted, annotations=hints)


async def _called(tools: Tools, name: str, given: dict[str, Any]) -> types.CallToolResult:
    """Return the result of a tool; an error becomes a result that says what to do."""
    try:
        reply = await tools.call(name, given)
    except Seq2DrumError as error:
        return types.CallToolResult(content=[types.TextContent(type="text", text=str(error))], is_error=True)
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=reply.text)]
    if reply.picture:
        data = base64.b64encode(reply.picture).decode("ascii")
        content.append(types.ImageContent(type="image", data=data, mime_type="image/png"))
    return types.CallToolResult(content=content, structured_content=reply.fields)
