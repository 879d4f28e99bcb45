"""The options of the client's command line; those of a take are the same as in `--mode infer`."""

from __future__ import annotations

import argparse

from seq2drum.console import shared
from seq2drum.console.arguments import Parser
from seq2drum.music.brief import BRIEF
from seq2drum.music.options import WHAT

TOKEN_VARIABLE = "SEQ2DRUM_TOKEN"
TIMEOUT_SECONDS = 120.0
START_HELP = "start a server here if none answers"
CODES = """exit codes:
  0    all done
  2    the request was wrong: a file, an option, a token
  3    no server answered, or it was busy or too slow: try again
  4    the server failed
  130  stopped, by Ctrl-C or --cancel-file"""


def song_parser() -> Parser:
    """Return the parser of `python -m client`."""
    parser = Parser(
        prog="python -m client",
        description="Drums for guitar MIDI files, from a server. python -m client watch --help: for whole folders, as "
        "files come; python -m client compose --help: beats without a guitar; "
        "python -m client mcp --help: tools for an assistant.",
        epilog="examples:\n  python -m client song.mid\n  python -m client takes/ -o drums/ --style rock --seed 3\n"
        "  python -m client watch exported/ drums/\n"
        f"  python -m client compose --genre funk --bpm 96 -o beat.mid\n\n{CODES}",
    )
    shared.add_program(parser)
    shared.add_songs(parser, "songs, folders of them, or - for standard input")
    shared.add_plan(_add_music(parser))
    output = parser.add_argument_group("output")
    shared.add_output(output, shared.where_drums_go())
    _add_form(output)
    shared.add_plan_out(output)
    shared.add_explain(output)
    shared.add_json(output)
    shared.add_force(output)
    _add_server(parser)
    group = parser.add_argument_group("listings")
    group.add_argument("--list-models", action="store_true", help="print its models and their styles")
    group.add_argument(
        "--list-generators", action="store_true", help="print its generators, which make beats without a guitar"
    )
    group.add_argument("--list-grooves", action="store_true", help="print its grooves, or ten that fit a SONG")
    group.add_argument("--list-drum-maps", action="store_true", help="print its drum maps")
    group.add_argument("--info", action="store_true", help="print its version and its limits")
    group = parser.add_argument_group("for programs that start this one")
    group.add_argument("--start-server", action="store_true", help=START_HELP)
    group.add_argument("--status", action="store_true", help="print as one line of JSON whether a server answers")
    group.add_argument("--status-file", metavar="FILE", help="keep the progress in this file, as one line of JSON")
    group.add_argument("--cancel-file", metavar="FILE", help="stop as soon as this file exists")
    return parser


def compose_parser() -> Parser:
    """Return the parser of `python -m client compose`."""
    parser = Parser(
        prog="python -m client compose",
        description="Makes beats without a guitar, on a server.",
        epilog="examples:\n  python -m client compose --genre funk --bpm 96 -o beat.mid\n"
        f"  python -m client compose --genre funk:2,jazz:1 --fill 4 --guitar song.mid\n\n{CODES}",
    )
    what = parser.add_argument_group("what to make")
    what.add_argument("--model", default="", metavar="NAME", help="one of the server's generators (default: its first)")
    for name in BRIEF:
        shared.add_choice(what, name, table=BRIEF)
    what.add_argument("--takes", type=int, default=1, metavar="N", help="how many beats (default: 1)")
    what.add_argument(
        "--guitar", metavar="SONG", help="also play the beat to this guitar: its drums go to BEAT.drums.mid"
    )
    output = parser.add_argument_group("output")
    shared.add_output(output, "where to write (default: a name made from the brief, here)", metavar="FILE|DIR")
    shared.add_json(output)
    shared.add_force(output)
    _add_server(parser)
    return parser


def watch_parser() -> Parser:
    """Return the parser of `python -m client watch`."""
    parser = Parser(prog="python -m client watch", epilog=CODES)
    _add_watch(parser)
    parser.description = f"{parser.description} Without --once, it waits for a server that is away or busy."
    _add_server(parser).add_argument("--start-server", action="store_true", help=START_HELP)
    return parser


def add_watch(parser: Parser) -> None:
    """Add the options of a watched folder whose server is started here, and again whenever none answers."""
    _add_watch(parser)
    nowhere = dict.fromkeys(("server", "token_file", "tls", "tls_ca", "tls_cert", "tls_key"))
    parser.set_defaults(start_server=True, timeout=TIMEOUT_SECONDS, **nowhere)


def _add_watch(parser: Parser) -> None:
    parser.description = (
        "Makes drums for every song that appears or changes in a folder: NAME.drums.mid for NAME.mid, "
        "whole or not at all. If that fails, NAME.mid.error.txt says why, until it succeeds. IN and OUT may be the "
        "same folder. Songs present at the start get drums if theirs are missing or older. Names that end in "
        ".drums.mid are not songs. Ctrl-C ends it, with code 0."
    )
    parser.add_argument("folder", metavar="IN", help="where songs appear")
    parser.add_argument("output", metavar="OUT", help="where to write drums; created if missing")
    parser.add_argument("--once", action="store_true", help="play to the present songs and exit")
    parser.add_argument(
        "--settle",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="take a file as whole if it has not changed for so long (default: 1)",
    )
    shared.add_plan(_add_music(parser))
    output = parser.add_argument_group("output")
    _add_form(output)
    shared.add_json(output)


def mcp_parser() -> Parser:
    """Return the parser of `python -m client mcp`."""
    parser = Parser(
        prog="python -m client mcp",
        description="Tools for an assistant (Model Context Protocol, on the standard streams): it looks at songs, "
        "makes drums for them, plays bars again, explains takes, draws, and makes beats. It reads and writes files "
        "in these folders and below them, and nowhere else. Needs pip install 'seq2drum[mcp]'.",
        epilog=f"example:\n  python -m client mcp ~/songs --start-server\n\n{CODES}",
    )
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="where songs are, and where drums go")
    _add_server(parser).add_argument("--start-server", action="store_true", help=START_HELP)
    return parser


def _add_music(parser: Parser) -> shared.Container:
    """Add the options of a take, as in --mode infer; return their first group. The models are the server's."""
    group = shared.add_choices(parser)[WHAT]
    shared.add_timing(parser)
    group.add_argument("--model", default="", metavar="NAME", help="one of the server's models (default: the server's)")
    return group


def _add_form(output: shared.Container) -> None:
    """Add the options of the written file; a drum map's own file is not sent."""
    shared.add_with_guitar(output)
    shared.add_session(output)
    shared.add_choice(output, "drum_map", metavar="NAME", about="the notes of a sampler")


def _add_server(parser: Parser) -> argparse._ArgumentGroup:
    """Add the options of the connection; return the group."""
    group = parser.add_argument_group("the server")
    group.add_argument(
        "--server",
        metavar="HOST:PORT",
        help="where it is; several with commas between, or dns:///NAME:PORT, serve in turn "
        "(default: $SEQ2DRUM_SERVER, or the server that runs here, or localhost:50051)",
    )
    group.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="the longest time for a song (default: 120)",
    )
    group.add_argument("--token-file", metavar="FILE", help=f"its token (default: ${TOKEN_VARIABLE})")
    group.add_argument("--tls", action="store_true", help="use TLS, with this system's certificate authorities")
    group.add_argument("--tls-ca", metavar="FILE", help="use TLS, with this certificate authority: a PEM file")
    group.add_argument("--tls-cert", metavar="FILE", help="this client's certificate: a PEM file")
    group.add_argument("--tls-key", metavar="FILE", help="the key of that certificate: a PEM file")
    return group
