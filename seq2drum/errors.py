"""The errors a user can meet.

Every error says what was found, what was wanted and what to do. Whatever else gets out is a bug; the command lines
catch only what no check of theirs can foresee: a name that may not be looked up, and a missing package.

    Seq2DrumError
    ├── InputError            something is wrong with the music that came in
    │   ├── MidiError         not a MIDI file, damaged, or it contradicts itself
    │   │   └── LimitError    a file beyond the table of limits
    │   ├── NotationError     a score or a tab that cannot be read
    │   ├── RecordingError    a sound file that cannot be read, or in which nothing was heard
    │   ├── NoGuitarError     no part that could be the guitar
    │   └── NoNotesError      the guitar part has no notes
    ├── OptionError           an option's value makes no sense
    │   └── PartNotFoundError the part that was asked for is not in the file
    ├── CorpusError           a folder of music that cannot be used
    ├── ModelError            something is wrong with the model
    │   ├── UnknownModelError no such model or model family
    │   └── CheckpointError   a checkpoint folder that is damaged or of another version
    ├── OutputError           the result could not be written; what was there before is untouched
    ├── PortError             a MIDI port cannot be opened, or has gone
    └── MissingExtraError     an optional package is not installed
"""


class Seq2DrumError(Exception):
    """Base of all errors that are the user's to mend."""


class InputError(Seq2DrumError):
    """Something is wrong with the music that came in."""


class MidiError(InputError):
    """The bytes are not a MIDI file, are damaged, or contradict themselves."""


class LimitError(MidiError):
    """A file lies beyond the table of limits (`seq2drum.music.limits.Limits`)."""


class NotationError(InputError):
    """A score or a tab cannot be read."""


class RecordingError(InputError):
    """A sound file cannot be read, or nothing was heard in it."""


class NoGuitarError(InputError):
    """No part of the song could be the guitar."""


class NoNotesError(InputError):
    """The guitar part has no notes."""


class OptionError(Seq2DrumError):
    """An option's value makes no sense."""


class PartNotFoundError(OptionError):
    """The requested part is not in the file."""


class CorpusError(Seq2DrumError):
    """A folder of music cannot be used."""


class ModelError(Seq2DrumError):
    """Something is wrong with the model."""


class UnknownModelError(ModelError):
    """There is no model, or no model family, of this name."""


class CheckpointError(ModelError):
    """A checkpoint folder is damaged or of another version."""


class OutputError(Seq2DrumError):
    """The result could not be written; an existing file is unchanged."""


class PortError(Seq2DrumError):
    """A MIDI port, or one of the network, cannot be opened, or has gone."""


class MissingExtraError(Seq2DrumError):
    """An optional package is not installed; the message names the extra."""
