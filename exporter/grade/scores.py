"""The numeric tables of the guide: scores of protocols, key exchange and ciphers, and the letter of their sum.

Something unknown makes a score a range, from its worst value to its best.
"""

from dataclasses import dataclass

from exporter.grade.letters import Letter
from exporter.grade.material import Material, Sizes
from exporter.model import Protocol

PROTOCOL_SCORES = {
    Protocol.SSL2: 0,
    Protocol.SSL3: 80,
    Protocol.TLS1_0: 90,
    Protocol.TLS1_1: 95,
    Protocol.TLS1_2: 100,
    Protocol.TLS1_3: 100,  # not in the guide; all implementations take 100 (ssllabs-scan, issue 838)
}

KEY_SCORES = ((512, 20), (1024, 40), (2048, 80), (4096, 90))
"""Fewer bits than this -> the score; 100 from 4096 bits on. For RSA, DSA and finite fields."""
NO_KEY = ("anonymous suites, to which no key belongs", 0)
EXPORT_KEY = ("export suites, whose keys have 512 bits", 40)

CIPHER_SCORES = ((1, 0), (128, 20), (256, 80))
"""Fewer bits than this -> the score, for symmetric ciphers. 3DES counts as 112 bits."""
FULL = 100

EC_AS_RSA = ((112, 256), (160, 512), (224, 1024), (256, 2048), (384, 3072), (512, 7680))
"""Elliptic curve keys of fewer bits than this -> the RSA key of the same strength; 15360 from 512 bits on.

NIST SP 800-57 part 1 rev. 5, table 2. It has nothing below 160 bits. A curve of 112 bits was broken in 2009 (Bos et
al., "Solving a 112-bit prime elliptic curve discrete logarithm problem on game consoles"), as RSA with 512 bits was in
1999 (Cavallar et al., "Factorization of a 512-bit RSA modulus", EUROCRYPT 2000).
"""
EC_AT_MOST = 15360

WEIGHTS = {"protocols": 30, "key_exchange": 30, "ciphers": 40}
"""Weights in the total score, in per cent."""

LETTERS = ((80, Letter.A_PLUS), (65, Letter.B), (50, Letter.C), (35, Letter.D), (20, Letter.E), (0, Letter.F))
"""Minimum score -> the letter before any rule. From 80 on it is an A; rules decide between A+, A and A-."""


@dataclass(frozen=True, slots=True)
class Range:
    """A score between two values, both included; out of 100."""

    low: float
    high: float

    @property
    def exact(self) -> float | None:
        """The score, where it is known exactly."""
        return self.low if self.low == self.high else None


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of the three categories."""

    protocols: Range
    key_exchange: Range
    ciphers: Range

    @property
    def categories(self) -> dict[str, Range]:
        """The scores by name, in the order of `WEIGHTS`."""
        return {"protocols": self.protocols, "key_exchange": self.key_exchange, "ciphers": self.ciphers}

    @property
    def total(self) -> Range:
        """The weighted sum of the scores; 0 where one of them is 0."""
        parts = self.categories.values()
        return Range(_total([part.low for part in parts]), _total([part.high for part in parts]))


def _total(parts: list[float]) -> float:
    whole = sum(weight * part for weight, part in zip(WEIGHTS.values(), parts, strict=True))
    return whole / 100 if all(parts) else 0


def score(material: Material) -> Scores:
    """The scores of all three categories."""
    return Scores(_protocols(material), _key_exchange(material), _ciphers(material.ciphers))


def letter_of(total: float) -> Letter:
    """The letter of a score before any rule."""
    return next(letter for least, letter in LETTERS if total >= least)


def by_bits(table: tuple[tuple[int, int], ...], bits: int, otherwise: int = FULL) -> int:
    """The table's score for this number of bits."""
    return next((value for limit, value in table if bits < limit), otherwise)


def ec_as_rsa(bits: int) -> int:
    """Bits of an RSA key as strong as an elliptic curve key of this size."""
    return by_bits(EC_AS_RSA, bits, EC_AT_MOST)


def _middle(best: float, worst: float) -> float:
    return (best + worst) / 2


def _protocols(material: Material) -> Range:
    """The mean of the best and the worst protocol's score."""
    known = [points for protocol, points in PROTOCOL_SCORES.items() if material.protocols.get(protocol)]
    perhaps = [points for protocol, points in PROTOCOL_SCORES.items() if material.protocols.get(protocol) is None]
    if not known:  # no connection is possible that way, so one of the others is accepted
        return Range(min(perhaps, default=0), max(perhaps, default=0))
    low = _middle(max(known), min(known + perhaps))
    return Range(low, _middle(max(known + perhaps), min(known)))


def _key_exchange(material: Material) -> Range:
    """The score of the weakest key."""
    sizes = (*material.keys.seen, *material.primes.seen)
    points = [FULL, *(by_bits(KEY_SCORES, size) for size in sizes)]
    whole = material.keys.whole and material.primes.whole
    low = [] if whole else [by_bits(KEY_SCORES, 0)]
    for state, (_, value) in ((material.anonymous, NO_KEY), (material.export, EXPORT_KEY)):
        if state:
            points.append(value)
        elif state is None:
            low.append(value)
    return Range(min(points + low), min(points))


def _ciphers(sizes: Sizes) -> Range:
    """The mean of the scores of the strongest and the weakest cipher."""
    points = [by_bits(CIPHER_SCORES, size) for size in sizes.seen]
    if not points:
        return Range(0, FULL)
    if sizes.whole:
        exact = _middle(max(points), min(points))
        return Range(exact, exact)
    return Range(_middle(max(points), 0), _middle(FULL, min(points)))
