"""HTML as browsers read it, and whether it is valid."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

import html5lib


def parse_html(page: bytes | str) -> Element:
    """The document. Every error that the HTML standard defines for parsing is an error here.

    Raises:
        html5lib.html5parser.ParseError: it is not valid.
    """
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    text = page.decode() if isinstance(page, bytes) else page
    document: Element = parser.parse(text)
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids)), f"an id is there twice: {ids}"
    return document


def text_of(element: Element) -> str:
    """The text of the element, with single spaces."""
    return " ".join("".join(element.itertext()).split())


def found(document: Element, tag: str, **attributes: str) -> Iterator[Element]:
    """The elements of this tag that have these attributes; `class_` is one of its classes."""
    class_ = attributes.pop("class_", None)
    for element in document.iter(tag):
        if class_ is not None and class_ not in (element.get("class") or "").split():
            continue
        if all(element.get(name) == value for name, value in attributes.items()):
            yield element
