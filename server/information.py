"""What the server says of itself: its version, its limits, and the credentials that are needed."""

from __future__ import annotations

from seq2drum import __version__
from seq2drum.formats import foreign
from seq2drum.rpc import accompaniment_pb2 as pb
from server.settings import Settings

API_VERSIONS = ("v1",)


def server_info(settings: Settings) -> pb.GetServerInfoResponse:
    """The version, the limits, and the credentials that are needed."""
    limits = settings.limits
    return pb.GetServerInfoResponse(
        version=__version__,
        api_versions=API_VERSIONS,
        limits=pb.Limits(
            max_midi_bytes=limits.file_bytes,
            max_chunk_bytes=settings.max_chunk_bytes,
            max_tracks=limits.tracks,
            max_events=limits.events,
            max_tempos=limits.tempos,
            max_meters=limits.metres,
            max_quarters=limits.quarters,
            max_seconds=limits.seconds,
            max_bars=settings.max_bars,
            max_takes=settings.max_takes,
            max_playing=settings.playing,
            max_waiting=settings.waiting,
            max_queue_seconds=settings.queue_seconds,
            default_deadline_seconds=settings.default_deadline_seconds,
            max_idle_seconds=settings.idle_seconds,
            max_numerator=limits.numerator,
            max_denominator=limits.denominator,
            min_bpm=limits.slowest,
            max_bpm=limits.fastest,
            max_recording_bytes=settings.max_recording_bytes,
        ),
        auth=_auth(settings),
        missing_readers=[pb.MissingReader(kind=kind, install=install) for kind, install in foreign.missing().items()],
    )


def _auth(settings: Settings) -> pb.AuthMode.ValueType:
    if settings.all_tokens:
        return pb.AUTH_MODE_TOKEN
    return pb.AUTH_MODE_CERTIFICATE if settings.client_ca else pb.AUTH_MODE_NONE
