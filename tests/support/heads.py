"""Heads of HTTP/1 responses that do not conform to the standard, and how clients read them.

Measured over plain HTTP with curl 7.88.1 (`--write-out %{header_json}`; `tests/real/test_heads.py` does it again) and
with Chromium 156 (headless, `fetch` of the same origin, all of `Response.headers`). HTTP/1.2 was measured with curl
only. Chromium is assumed to read it like HTTP/1.10.
"""

from dataclasses import dataclass

VALUE = "max-age=31536000"
STS = f"Strict-Transport-Security: {VALUE}\r\n".encode()
LENGTH = b"Content-Length: 2\r\n"


@dataclass(frozen=True)
class Odd:
    """One head.

    Attributes:
        curl: its values of Strict-Transport-Security; empty without any, None if it rejects the response.
        chromium: the same for Chromium.
    """

    name: str
    head: bytes
    curl: str | None = VALUE
    chromium: str | None = VALUE

    @property
    def agreed(self) -> str | None:
        """The values of both; None if they differ or reject the response."""
        return self.curl if self.curl == self.chromium else None


def _head(line: bytes = b"", status: bytes = b"HTTP/1.1 200 OK", length: bytes = LENGTH, sts: bytes = STS) -> bytes:
    return status + b"\r\n" + line + sts + length + b"\r\nok"


def _lines(*names_and_lines: tuple[str, bytes], curl: str | None = VALUE, chromium: str | None = VALUE) -> list[Odd]:
    """An odd line before the policy."""
    return [Odd(name, _head(line), curl, chromium) for name, line in names_and_lines]


def _statuses(*statuses: bytes, curl: str | None = VALUE, chromium: str | None = VALUE) -> list[Odd]:
    return [Odd(status.decode("latin-1"), _head(status=status), curl, chromium) for status in statuses]


def _lengths(*lengths: bytes, curl: str | None = VALUE, chromium: str | None = VALUE) -> list[Odd]:
    return [Odd(length.decode(), _head(length=length + b"\r\n"), curl, chromium) for length in lengths]


def _policies(
    *names_and_fields: tuple[str, bytes], curl: str | None = VALUE, chromium: str | None = VALUE
) -> list[Odd]:
    return [Odd(name, _head(sts=field), curl, chromium) for name, field in names_and_fields]


SUBDOMAINS = f"{VALUE} ; includeSubDomains"
ODD_HEADS: list[Odd] = [
    *_lines(
        ("space in a name", b"X Foo: a\r\n"),
        ("tab in a name", b"X\tFoo: a\r\n"),
        ("UTF-8 in a name", b"X-F\xc3\xb6: a\r\n"),
        ("Latin-1 in a name", b"X-F\xf6: a\r\n"),
        ("control in a name", b"X\x01Foo: a\r\n"),
        ("DEL in a name", b"X\x7fFoo: a\r\n"),
        ("brackets in a name", b"X[1]: a\r\n"),
        ("parentheses in a name", b"X(Foo): a\r\n"),
        ("slash in a name", b"X/Foo: a\r\n"),
        ("quote in a name", b'X"Foo: a\r\n'),
        ("empty name", b": a\r\n"),
        ("blank before a colon", b"X-Foo : a\r\n"),
        ("tab before a colon", b"X-Foo\t: a\r\n"),
        ("VT in a value", b"X-Foo: a\x0bb\r\n"),
        ("FF in a value", b"X-Foo: a\x0cb\r\n"),
        ("control in a value", b"X-Foo: a\x01b\r\n"),
        ("DEL in a value", b"X-Foo: a\x7fb\r\n"),
        ("Latin-1 in a value", b"X-Foo: \xe9\r\n"),
        ("CR in a value", b"X-Foo: a\rb\r\n"),
        ("CR and a field in a value", b"X-Foo: a\rX-Bar: b\r\n"),
        ("CR CR LF", b"X-Foo: a\r\r\n"),
        ("LF alone", b"X-Foo: a\n"),
        ("continuation line", b"X-Foo: a\r\n  b\r\n"),
        ("continuation line of blanks", b"X-Foo: a\r\n \r\n"),
        ("continuation of a skipped line", b"X Foo: a\r\n  b\r\n"),
    ),
    *_lines(
        ("line without a colon", b"Broken\r\n"),
        ("HTML", b"<html>\r\n"),
        ("policy without a colon", b"Strict-Transport-Security max-age=1\r\n"),
        ("first line continues", b" X-Foo: a\r\n"),
        ("first line is blank", b" \r\n"),
        ("blank name", b" : a\r\n"),
        curl=None,
    ),
    *_lines(
        ("NUL in a name", b"X\0Foo: a\r\n"),
        ("NUL in a value", b"X-Foo: a\0b\r\n"),
        curl=None,
        chromium=None,
    ),
    *_lines(("policy in a continuation line", b"X-Foo: a\r\n "), curl="", chromium=""),
    *_lines(("policy behind a CR", b"X-Foo: a\r"), curl=""),
    *_policies(
        ("blank before the colon of the policy", STS.replace(b":", b" :")),
        ("tab before the colon of the policy", STS.replace(b":", b"\t:")),
        curl="",
    ),
    *_policies(
        ("policy with and without a blank", STS.replace(b":", b" :").replace(b"31536000", b"1") + STS),
        chromium=f"max-age=1, {VALUE}",
    ),
    *_policies(
        ("policy goes on in a continuation line", STS.replace(b"\r\n", b"\r\n  ; includeSubDomains\r\n")),
        curl=SUBDOMAINS,
        chromium=SUBDOMAINS,
    ),
    *_policies(("CR CR LF behind the policy", STS.replace(b"\r\n", b"\r\r\n"))),
    *_policies(("NUL in the policy", STS.replace(b"\r\n", b"\0\r\n")), curl=None, chromium=None),
    Odd("LF everywhere", _head(b"X-Foo: a\r\n").replace(b"\r\n", b"\n")),
    *_lengths(
        b"Content-Length: +2",
        b"Content-Length: 2x",
        b"Content-Length: 2 3",
        b"Content-Length: 2, 2",
        b"Content-Length: 99999999999999999999999",
        b"Content-Length: 2\r\nContent-Length: 2",
        b"Transfer-Encoding: identity\r\nContent-Length: 2",
    ),
    *_lengths(
        b"Content-Length: -1",
        b"Content-Length: abc",
        b"Content-Length:",
        b"Transfer-Encoding: foo",
        curl=None,
    ),
    *_lengths(
        b"Content-Length: +2\r\nContent-Length: 2",
        b"Content-Length: 2\r\nContent-Length: 3",
        chromium=None,
    ),
    *_statuses(
        *(b"HTTP/2 200", b"HTTP/2 200 OK", b"HTTP/2.0 200 OK", b"http/1.1 200 OK", b"HTTP/1.1  200 OK"),
        *(b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 200OK", b"HTTP/1.1 200 \xf6k", b"HTTP/1.1 200 a\x0bb"),
        *(b"HTTP/1.1 600 OK", b"HTTP/1.1 999 OK"),
    ),
    *_statuses(
        *(b"HTTP/3 200 OK", b"HTTP/1 200 OK", b"HTTP/1.10 200 OK", b"HTTP/1.2 200 OK"),
        *(b"HTTP 200 OK", b"HTTP/1.1\t200\tOK", b"HTTP/1.1", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK"),
        *(b"HTTP/1.1 abc OK", b"HTTP/1.1 099 OK", b"HTTP/1.1 +200 OK"),
        *(b"\r\nHTTP/1.1 200 OK", b"xxHTTP/1.1 200 OK", b" HTTP/1.1 200 OK"),
        curl=None,
    ),
    *_statuses(b"ICY 200 OK", curl=None, chromium=""),
]

CURL_8_14 = {
    **dict.fromkeys(("first line continues", "blank name", "HTTP/1.1\t200\tOK", "HTTP/1.1 2000 OK"), VALUE),
    **dict.fromkeys(("Content-Length: +2", "Content-Length: +2\r\nContent-Length: 2"), None),
    **dict.fromkeys(("HTTP/2 200 OK", "HTTP/1.1  200 OK"), None),
}
"""What curl 8.14.1 (Debian 13) has of those that it reads in another way."""

OPEN_HEADS: list[tuple[str, bytes]] = [
    *(
        (f"policy with {sign!r}", _head(sts=STS.replace(b"\r\n", sign + b"\r\n")))
        for sign in (b"\x0b", b"\x0c", b"\x0b; includeSubDomains")
    ),
    ("two policies around an odd line", _head(STS.replace(b"31536000", b"1") + b"X Foo: a\r\n")),
]
"""Both clients show the same fields, but the resulting policy depends on the client: curl drops such characters at the
end and uses the last field, Chromium keeps them and uses the first."""
