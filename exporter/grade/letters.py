"""The letters, best first."""

from enum import StrEnum


class Letter(StrEnum):
    """Label values of `tls_posture_grade_info`. T and M are outside the scale."""

    A_PLUS = "A+"
    A = "A"
    A_MINUS = "A-"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"
    T = "T"
    M = "M"

    @property
    def rank(self) -> int:
        """7 for A+ down to 0 for F; also 0 for T and M."""
        return max(_BEST - _PLACES[self], 0)

    @property
    def on_scale(self) -> bool:
        """Whether a score or a cap can lead to this letter."""
        return self not in {Letter.T, Letter.M}


_PLACES = {letter: place for place, letter in enumerate(Letter)}
_BEST = _PLACES[Letter.F]
