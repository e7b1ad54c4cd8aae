"""The dialogue of XMPP, between client and server and between servers.

The XML of a stream has no comments, declarations or entities of its own (RFC 6120, 11.1). So tags can be recognized
without a parser. A parser would read past the tag that matters.
"""

import re
from dataclasses import dataclass
from html import escape

from exporter.net.starttls.wire import Wire, broken, refused

_TAG = re.compile(r"<(/?)(?:[^\s<>/:!?]+:)?([^\s<>/:!?]+)(?:\s.*?)?(/?)>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Tag:
    """One tag; `name` is without its prefix."""

    name: str
    opens: bool
    closes: bool


async def _markup(wire: Wire) -> tuple[str, str]:
    """The text before the next tag, and that tag."""
    text = (await wire.until(b"<"))[:-1]
    return " ".join(text.decode("utf-8", "replace").split()), await _behind_bracket(wire)


async def _behind_bracket(wire: Wire) -> str:
    """Read the tag whose `<` was read, up to its closing `>`; a `>` within an attribute's value does not count."""
    markup = b"<"
    while not (piece := await wire.until(b">", b"'", b'"')).endswith(b">"):
        markup += piece + await wire.until(piece[-1:])
    return (markup + piece).decode("utf-8", "replace")


def _tag(markup: str) -> _Tag:
    match = _TAG.fullmatch(markup)
    if match is None or (match[1] and match[3]):
        raise broken(f"not XMPP: {markup[:60]!r}")
    return _Tag(match[2], opens=not match[1], closes=bool(match[1] or match[3]))


async def _element(wire: Wire) -> tuple[str, list[str]]:
    """One complete child element of the stream: its name, and the names of its children."""
    _, markup = await _markup(wire)
    first = _tag(markup)
    if not first.opens:
        raise broken("the server closed the stream")
    depth, inner, said = int(not first.closes), [], []
    while depth:
        text, markup = await _markup(wire)
        tag = _tag(markup)
        said.append(text)
        if tag.opens and depth == 1:
            inner.append(tag.name)
        depth += tag.opens - tag.closes
    if first.name == "error":  # RFC 6120, 4.9: the server will not continue, and says why
        raise refused(" ".join(filter(None, ("stream error", *inner, *said))))
    return first.name, inner


async def _xmpp(wire: Wire, namespace: str) -> None:
    await wire.send(
        f"<?xml version='1.0'?><stream:stream to='{escape(wire.name)}' version='1.0' xml:lang='en' "
        f"xmlns='{namespace}' xmlns:stream='http://etherx.jabber.org/streams'>".encode("ascii")
    )
    start = await wire.exactly(1)
    if start != b"<":
        raise broken(f"not XMPP: {start!r}")
    markup = await _behind_bracket(wire)
    if markup.startswith("<?xml "):
        _, markup = await _markup(wire)
    header = _tag(markup)
    if header.name != "stream" or header.closes:
        raise broken(f"not the header of a stream: <{header.name[:60]}>")
    name, features = await _element(wire)
    if name != "features":
        raise broken(f"features expected, not <{name[:60]}>")
    if "starttls" not in features:
        raise refused("STARTTLS is not among the features")
    await wire.send(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    name, _ = await _element(wire)
    if name == "failure":
        raise refused("the server answered with failure")
    if name != "proceed":
        raise broken(f"proceed or failure expected, not <{name[:60]}>")


async def xmpp(wire: Wire) -> None:
    """A client's stream (RFC 6120, 5.4; 4.2 and 4.3 for its opening)."""
    await _xmpp(wire, "jabber:client")


async def xmpp_server(wire: Wire) -> None:
    """A server's stream (RFC 6120, 5.4; 4.8.2 for its namespace)."""
    await _xmpp(wire, "jabber:server")
