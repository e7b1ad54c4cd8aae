"""Cipher suites by their properties: `aead and forward_secrecy and not psk and bits >= 128`.

Terms are joined by `and`; `not` in front negates a term. There is no `or`: a list of several entries has that effect.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exporter.nearest import suggestion_or_all
from exporter.tls.suites import SSL2_SUITES, SUITES, CipherSuite

FLAGS: Mapping[str, Callable[[CipherSuite], bool]] = {
    "aead": lambda suite: suite.aead,
    "forward_secrecy": lambda suite: suite.forward_secrecy,
    "cbc": lambda suite: suite.cbc,
    "anonymous": lambda suite: suite.anonymous,
    "export": lambda suite: suite.export,
    "null_encryption": lambda suite: suite.null_encryption,
    "tls13": lambda suite: suite.tls13,
    "psk": lambda suite: suite.psk,
}
NAMES: Mapping[str, Callable[[CipherSuite], str]] = {
    "key_exchange": lambda suite: suite.agreement,
    "authentication": lambda suite: suite.authentication,
    "encryption": lambda suite: suite.encryption,
    "mac": lambda suite: suite.mac,
}
BITS = "bits"
ALL_SUITES = (*SUITES, *SSL2_SUITES)
VALUES: Mapping[str, tuple[str, ...]] = {
    name: tuple(sorted({value(suite) for suite in ALL_SUITES} - {""})) for name, value in NAMES.items()
}
"""The values of properties that are compared by name."""
_SAME: Mapping[str, Callable[[object, object], bool]] = {"=": operator.eq, "!=": operator.ne}
_COMPARED: Mapping[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "!=": operator.ne,
}
_TOKEN = re.compile(r"[<>=!]+|[^\s<>=!]+")


@dataclass(frozen=True, slots=True)
class Expression:
    """The properties that suites must have.

    Attributes:
        text: as it was written. It decides what the terms are.
        terms: all of them must hold.
    """

    text: str
    terms: tuple[Callable[[CipherSuite], bool], ...] = field(compare=False)

    def holds(self, suite: CipherSuite) -> bool:
        """Whether the suite has the properties."""
        return all(term(suite) for term in self.terms)


def read_expression(text: object) -> Expression:
    """The expression.

    Raises:
        ValueError: it is not an expression, names an unknown property or value, or matches no suite.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError("is not an expression, such as: aead and bits >= 128")
    tokens = _TOKEN.findall(text)
    terms = [_term(tokens)]
    while tokens:
        if tokens.pop(0) != "and":
            raise ValueError("terms are joined by `and`; for `or` write two entries")
        terms.append(_term(tokens))
    expression = Expression(" ".join(text.split()), tuple(terms))
    if not any(expression.holds(suite) for suite in ALL_SUITES):
        raise ValueError("no registered cipher suite has these properties")
    return expression


def _term(tokens: list[str]) -> Callable[[CipherSuite], bool]:
    """The next term, taken from the front of the tokens."""
    turned = False
    while tokens and tokens[0] == "not":
        turned = not turned
        tokens.pop(0)
    if not tokens:
        raise ValueError("a term is missing after the last word")
    term = _property(tokens)
    return (lambda suite: not term(suite)) if turned else term


def _property(tokens: list[str]) -> Callable[[CipherSuite], bool]:
    """The condition on the next property, taken from the front of the tokens."""
    word = tokens.pop(0)
    if word in FLAGS:
        if tokens and tokens[0] in {*_COMPARED, "=="}:
            raise ValueError(f"{word} is true or false; it is not compared with a value")
        return FLAGS[word]
    if word == BITS or word in NAMES:
        sign, value = (*tokens[:2], "", "")[:2]
        del tokens[:2]
        return _bits(sign, value) if word == BITS else _name(word, sign, value)
    raise ValueError(f"{word!r} is not a property of cipher suites{suggestion_or_all(word, (*FLAGS, BITS, *NAMES))}")


def _bits(sign: str, value: str) -> Callable[[CipherSuite], bool]:
    if sign not in _COMPARED or not re.fullmatch(r"[0-9]{1,4}", value):
        raise ValueError(f"bits are compared with a number by one of {' '.join(_COMPARED)}, as in: bits >= 128")
    compare, number = _COMPARED[sign], int(value)
    return lambda suite: compare(suite.bits, number)


def _name(word: str, sign: str, value: str) -> Callable[[CipherSuite], bool]:
    if sign not in _SAME:
        raise ValueError(f"{word} is compared with a name by = or !=, as in: {word} = {VALUES[word][-1]}")
    if value not in VALUES[word]:
        raise ValueError(f"{value!r} is no {word} of cipher suites{suggestion_or_all(value, VALUES[word])}")
    compare, get = _SAME[sign], NAMES[word]
    return lambda suite: compare(get(suite), value)
