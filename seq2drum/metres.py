"""How metres group and weigh their beats (provisional, to be replaced by a table generated from music21)."""


def groups(numerator: int, denominator: int) -> tuple[int, ...]:
    """Accent groups, in units of the denominator: 4/4 is (1, 1, 1, 1), 6/8 (3, 3), 7/8 (2, 2, 3)."""
    if denominator >= 8 and numerator % 3 == 0:
        return (3,) * (numerator // 3)
    if denominator >= 8 and numerator > 3:
        return (2,) * (numerator // 2 - numerator % 2) + ((3,) if numerator % 2 else ())
    return (1,) * numerator


def weights(numerator: int, denominator: int) -> tuple[float, ...]:
    """The accent of each unit of the denominator, 1 for the downbeat: 4/4 is (1, .25, .5, .25)."""
    out = [0.125] * numerator
    at = 0
    for group in groups(numerator, denominator):
        out[at] = 0.25
        at += group
    out[0] = 1.0
    return tuple(out)
