"""MIDI files of a guitar, and the notes of drums in one; for a DAW's own Python, which has no package of ours."""

# --- MIDI files; client/fl_studio/seq2drum.pyscript has the same lines, since it must be one file ---


def variable_length(value):
    """A number in seven bits a byte, all but the last with the high bit."""
    found = [value & 0x7F]
    while value > 0x7F:
        value >>= 7
        found.insert(0, value & 0x7F | 0x80)
    return bytes(found)


def track_of(events):
    """A track chunk of events (tick, rank, bytes); at one tick the lower rank comes first."""
    body, now = b"", 0
    for tick, _, data in sorted(events):
        body += variable_length(tick - now) + data
        now = tick
    return b"MTrk" + (len(body) + 4).to_bytes(4, "big") + body + b"\x00\xff\x2f\x00"


def text_of(kind, text):
    """A text event: of kind 3 a name, of kind 6 a marker."""
    data = text.encode("utf-8", "replace")
    return bytes((0xFF, kind)) + variable_length(len(data)) + data


def write_guitar(ticks, bpm, metres, markers, notes, end):
    """The bytes of a MIDI file with a guitar, all times in ticks.

    ticks: of a quarter. bpm: quarters a minute. metres: (tick, numerator, denominator). markers: (tick, text). notes:
    (tick, length, pitch, velocity). end: of the music.
    """
    maps = [(0, 0, b"\xff\x51\x03" + round(60000000 / bpm).to_bytes(3, "big"))]
    for tick, above, below in metres:
        maps.append((tick, 1, b"\xff\x58\x04" + bytes((above, below.bit_length() - 1, 24, 8))))
    maps += [(tick, 2, text_of(6, text)) for tick, text in markers]
    maps.append((end, 3, text_of(1, "end")))
    guitar = [(0, 0, text_of(3, "Guitar")), (0, 1, b"\xc0\x1b")]  # electric guitar (clean)
    for tick, length, pitch, velocity in notes:
        guitar.append((tick, 3, bytes((0x90, pitch, velocity))))
        guitar.append((tick + max(length, 1), 2, bytes((0x80, pitch, 0))))
    head = b"MThd" + (6).to_bytes(4, "big") + (1).to_bytes(2, "big") + (2).to_bytes(2, "big") + ticks.to_bytes(2, "big")
    return head + track_of(maps) + track_of(guitar)


def read_notes(data):
    """The ticks of a quarter, and the notes (tick, length, pitch, velocity) of a MIDI file, sorted.

    Raises ValueError or IndexError if it is none.
    """
    if data[:4] != b"MThd":
        raise ValueError("not a MIDI file")
    ticks, at, notes = int.from_bytes(data[12:14], "big"), 14, []
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] == b"MTrk":
            notes += read_track(data[at + 8 : at + 8 + size])
        at += 8 + size
    return ticks, sorted(notes)


def read_track(data):
    """The notes of a track's events."""
    at = tick = status = 0
    sounding, notes = {}, []
    while at < len(data):
        step, at = read_number(data, at)
        tick += step
        if data[at] & 0x80:
            status, at = data[at], at + 1
        if status >= 0xF0:
            size, at = read_number(data, at + (status == 0xFF))
            at += size
            continue
        kind, first = status & 0xF0, data[at]
        second = 0 if kind in (0xC0, 0xD0) else data[at + 1]
        at += 1 if kind in (0xC0, 0xD0) else 2
        if kind == 0x90 and second:
            sounding.setdefault(first, []).append((tick, second))
        elif kind in (0x80, 0x90) and sounding.get(first):
            begun, velocity = sounding[first].pop(0)
            notes.append((begun, tick - begun, first, velocity))
    return notes


def read_number(data, at):
    """A number of variable length, and the place behind it."""
    value = 0
    while data[at] & 0x80:
        value, at = value << 7 | data[at] & 0x7F, at + 1
    return value << 7 | data[at], at + 1


# --- end of the same lines ---
