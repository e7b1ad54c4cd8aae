"""Products in the header fields `Server`, `X-Powered-By` and `Via`.

Source: RFC 9110, 10.2.4 (products and comments, the most significant first), 7.6.3 (Via), 5.6.5 (comments).
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from exporter.software.packages import comment_mark, name_mark, version_mark
from exporter.software.shown import MAX_TEXT, Package, Shown, as_name, as_version

SERVER, POWERED_BY, VIA = "server", "x-powered-by", "via"
SOURCES = (SERVER, POWERED_BY, VIA)

_SAME = ("nginx", "haproxy", "caddy", "traefik", "tomcat", "envoy", "squid", "openssl", "php", "microsoft-iis")
_KNOWN = {
    "apache": "apache-http-server",
    "apache-coyote": "tomcat",
    "coyote": "tomcat",
    "jetty": "eclipse-jetty",
    **{name: name for name in (*_SAME, "openresty", "varnish", "lighttpd")},
}
"""Names as servers write them (in lower case) -> names of endoflife.date."""

_SPELT = (
    (re.compile(r"\bApache[ -]Tomcat\b"), "Tomcat"),
    (re.compile(r"\bPhusion[ _]Passenger(?:\(R\))?"), "Phusion-Passenger"),
    (re.compile(r"\bJetty\((?=[0-9])"), "Jetty ("),
    (re.compile(r"\bIBM HTTP Server\b"), "IBM_HTTP_Server"),
    (re.compile(r"\bOracle HTTP Server\b"), "Oracle-HTTP-Server"),
)
"""Names of two words, and a comment that follows its product without a space."""

_PART = re.compile(r"\((?P<comment>(?:[^()\\]|\\.|\([^()]*\))*)\)|(?P<token>[^\s(),]+)")
_VIA = re.compile(r"(?:[A-Za-z]+/)?[0-9][0-9.]*\s+(?P<by>[^\s,(]+)")


def read_fields(fields: Iterable[tuple[str, str]]) -> list[Shown]:
    """The products in the header fields of one response; field names are in lower case.

    A field that is too long is ignored. If it were cut, it could show other versions, or lose the mark of a
    distribution.
    """
    found: list[Shown] = []
    for name, value in fields:
        if len(value) > MAX_TEXT:
            continue
        if name == VIA:
            found += _via(value)
        elif name in {SERVER, POWERED_BY}:
            found += _products(value, name)
    return found


def _products(text: str, source: str) -> list[Shown]:
    """Each product and, if the same field shows it, the distribution that packaged it."""
    tokens, comments = _parts(text)
    marks = [mark for comment in comments if (mark := comment_mark(comment))]
    found: list[Shown] = []
    for index, (name, version) in enumerate(_versions(tokens, comments)):
        product = as_name(name)
        known = _KNOWN.get(name.lower())
        if product is None or (index and version is None and known is None):
            continue  # words of a sentence, not products
        own = version_mark(version) if version else None
        main = source == SERVER and index == 0
        shown = as_version(version) if version else None
        if known == "tomcat" and name.lower().endswith("coyote"):
            shown, own = None, None  # the version of a connector, the same for fifteen years
        found.append(Shown(known or product, shown, source, own or _strongest(marks), main))
    return found


def _parts(text: str) -> tuple[list[str], list[str]]:
    for pattern, spelt in _SPELT:
        text = pattern.sub(spelt, text)
    tokens, comments = [], []
    for part in _PART.finditer(text):
        if part["token"] is not None:
            tokens.append(part["token"])
        else:
            comments.append(part["comment"].strip())
    return tokens, comments


def _versions(tokens: Sequence[str], comments: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Names with their versions: after a slash, as a separate word, or (Jetty) in a comment."""
    position = 0
    while position < len(tokens):
        name, _, version = tokens[position].partition("/")
        position += 1
        if not version and position < len(tokens) and re.fullmatch(r"[vV]?[0-9][^/]*", tokens[position]):
            version = tokens[position]
            position += 1
        if not version and name.lower() == "jetty" and comments:
            version = comments[0]
        yield name, version if version and as_version(version) else None


def _strongest(marks: Sequence[Package]) -> Package | None:
    """A mark with a release, if there is one."""
    return next((mark for mark in marks if mark.release), marks[0] if marks else None)


def _via(text: str) -> list[Shown]:
    """Products of intermediaries, if a comment or the pseudonym names one."""
    found: list[Shown] = []
    for comment in _parts(text)[1]:
        found += [shown for shown in _products(comment, VIA) if shown.version or shown.product in _KNOWN.values()]
    for hop in _VIA.finditer(re.sub(r"\([^()]*\)", " ", text)):
        name, _, version = hop["by"].partition("/")
        known = _KNOWN.get(name.lower())
        if known or (version and as_version(version) and as_name(name)):
            mark = name_mark(version) if version else None
            found.append(Shown(known or name, as_version(version) if version else None, VIA, mark))
    return found
