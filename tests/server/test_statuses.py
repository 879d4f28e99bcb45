"""The status that a caller gets when a call fails: each error of the core, each reason of the service, in few bytes."""

from __future__ import annotations

import base64
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc_status import rpc_status
from hypothesis import given
from hypothesis import strategies as st

from seq2drum import errors
from server import statuses
from server.statuses import ERROR_STATUSES, REASONS, Refusal, StatusError

ROOT = Path(__file__).parents[2]
PLAIN = string.punctuation.replace("%", " ")  # what a header has as it is, beside letters and digits


def tree(kind: type[errors.Seq2DrumError] = errors.Seq2DrumError) -> Iterator[type[errors.Seq2DrumError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:  # others refine them for themselves
            yield from tree(below)


def info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo:
    (packed,) = [packed for packed in status.details if packed.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    read = error_details_pb2.ErrorInfo()
    packed.Unpack(read)
    return read


def violations(status: status_pb2.Status) -> list[tuple[str, str, str]]:
    bad = error_details_pb2.BadRequest()
    violations = [each for packed in status.details if packed.Unpack(bad) for each in bad.field_violations]
    return [(each.field, each.description, each.reason) for each in violations]


def on_the_wire(status: status_pb2.Status) -> int:
    """How long the trailer is, reckoned in another way than `trailer_size` does."""
    details = base64.b64encode(status.SerializeToString())
    return (
        len(f"grpc-status {status.code}")
        + len("grpc-message" + quote(status.message, safe=PLAIN))
        + len(b"grpc-status-details-bin" + details)
    )


# --- the core's tree --------------------------------------------------------------------------------------------------


def test_the_table_has_every_error_of_the_tree_and_no_other() -> None:
    assert set(ERROR_STATUSES) == set(tree())
    assert set(ERROR_STATUSES) == {kind for kind in vars(errors).values() if isinstance(kind, type)}


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_an_error_of_the_core_has_the_status_of_its_row(kind: type[errors.Seq2DrumError]) -> None:
    row = ERROR_STATUSES[kind]
    status = statuses.to_status(kind("the song is in 5/4, wanted a waltz"))
    assert status.code == row.code.value[0]
    assert REASONS[row.reason][0] is row.code
    assert statuses.reason_of(status) == row.reason
    if row.reason == "INTERNAL_ERROR":
        assert "waltz" not in str(status)
        return
    assert status.message == "the song is in 5/4, wanted a waltz", "the words are those of the command line"
    assert violations(status) == ([(row.field, status.message, row.reason)] if row.field else [])
    assert rpc_status.to_status(status).code is row.code


def test_of_an_errors_classes_the_most_special_one_counts() -> None:
    class Special(errors.LimitError):
        pass

    class Mixed(ValueError, errors.PartNotFoundError):
        pass

    assert statuses.reason_of(statuses.to_status(Special("x"))) == "MIDI_OVER_LIMIT"
    assert statuses.reason_of(statuses.to_status(Mixed("x"))) == "TRACK_NOT_FOUND"


def test_every_reason_has_a_status_that_is_no_success_and_a_sentence() -> None:
    for reason, (code, sentence) in REASONS.items():
        assert reason == reason.upper() and reason.replace("_", "").isalpha()
        assert code not in (StatusCode.OK, StatusCode.UNKNOWN)
        assert sentence.endswith(".")


# --- the service's own ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", REASONS)
def test_the_status_of_a_refusal_has_all_of_its_fields(reason: str) -> None:
    refusal = Refusal(reason, "no", field="midi", retry_seconds=1.25, metadata={"models": "a, b"})
    status = statuses.to_status(refusal)
    assert status.code == REASONS[reason][0].value[0]
    assert (status.message, statuses.reason_of(status), statuses.retry_of(status)) == ("no", reason, 1.25)
    assert info(status).domain == statuses.DOMAIN
    assert dict(info(status).metadata) == {"models": "a, b"}
    assert violations(status) == [("midi", "no", reason)]


def test_the_status_of_a_refusal_has_no_details_that_the_refusal_lacks() -> None:
    status = statuses.to_status(Refusal("QUEUE_FULL", "no"))
    assert len(status.details) == 1
    assert statuses.retry_of(status) is None
    assert statuses.error_id_of(status) is None


@pytest.mark.parametrize(("seconds", "sent"), [(0, 0), (-1, 0), (0.5, 0.5), (0.0001, 0.001), (90, 90)])
def test_a_time_to_retry_is_rounded_up_to_the_millisecond(seconds: float, sent: float) -> None:
    assert statuses.retry_of(statuses.to_status(Refusal("QUEUE_FULL", "no", retry_seconds=seconds))) == sent


def test_a_status_from_a_worker_is_handed_on_as_it_is() -> None:
    status = statuses.to_status(errors.NoGuitarError("a song of secrets"))
    error = StatusError(status_pb2.Status.FromString(status.SerializeToString()))
    assert statuses.to_status(error) == status
    assert str(error) == "NO_GUITAR", "an exception gets into logs"


def test_a_status_of_another_domain_has_no_reason() -> None:
    assert statuses.reason_of(status_pb2.Status(code=3, message="x")) == ""
    other = status_pb2.Status(code=3)
    other.details.add().Pack(error_details_pb2.ErrorInfo(reason="NO_GUITAR", domain="example.com"))
    assert statuses.reason_of(other) == ""


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [ValueError("the secret"), MemoryError(), RecursionError("the secret"), KeyError("the secret")]
)
def test_the_caller_gets_nothing_of_a_fault_but_its_id(error: Exception) -> None:
    one, other = statuses.to_status(error), statuses.to_status(error)
    assert one.code == StatusCode.INTERNAL.value[0]
    assert statuses.reason_of(one) == "INTERNAL_ERROR"
    number = statuses.error_id_of(one)
    assert number is not None and len(number) == 32 and number in one.message
    assert number != statuses.error_id_of(other)
    assert "secret" not in str(one) and type(error).__name__ not in str(one)


def test_the_log_has_the_place_of_a_fault_and_not_its_message() -> None:
    def sing() -> None:
        raise ValueError("the secret")

    try:
        sing()
    except ValueError as error:
        trace = statuses.trace_of(error)
    assert trace[0] == "ValueError"
    assert trace[-1].startswith("server/test_statuses.py:") and trace[-1].endswith(" sing")
    assert "secret" not in "".join(trace)


# --- size -------------------------------------------------------------------------------------------------------------


@given(
    st.text(max_size=3000)
    | st.sampled_from(
        ["x" * 999, "x" * 1000, "x" * 1001, "%" * 5000, "é" * 5000, "🎸" * 5000, "\ud800" * 2000, "\x00" * 3000]
    ),
    st.dictionaries(st.sampled_from(["models", "drum_maps", "error_id"]), st.text(max_size=2000), max_size=3),
)
def test_a_trailer_stays_under_4_kib(message: str, metadata: dict[str, str]) -> None:
    refusal = Refusal("UNKNOWN_DRUM_MAP", message, field="config.drum_map", retry_seconds=1, metadata=metadata)
    status = statuses.to_status(refusal)
    assert on_the_wire(status) <= statuses.trailer_size(status) <= statuses.MOST_TRAILER
    assert len(status.message) <= statuses.MOST_MESSAGE + 1
    assert (
        status.message.removesuffix("…")
        == message.encode("utf-8", "replace").decode()[: len(status.message.removesuffix("…"))]
    )


def test_a_message_that_fits_is_not_cut_and_one_that_does_not_says_so() -> None:
    assert statuses.to_status(errors.MidiError("x" * 900)).message == "x" * 900
    assert statuses.to_status(errors.MidiError("x" * 5000)).message.endswith("x…")


def test_statuses_are_made_without_loading_numpy_or_the_models() -> None:
    code = "import sys, server.statuses; print({'numpy', 'symusic', 'onnxruntime'}.intersection(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_the_documentation_lists_every_reason_with_its_status_and_sentence() -> None:
    page = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
    for reason, (code, sentence) in statuses.REASONS.items():
        assert f"| `{reason}` | {code.name} | {sentence} |" in page
