"""The Authorization field, as Go reads it."""

import base64

import pytest

from exporter.web.access.basic import credentials


def encoded(text: str) -> bytes:
    return base64.b64encode(text.encode())


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"Basic " + encoded("alice:secret"), (b"alice", b"secret")),
        (b"basic " + encoded("alice:secret"), (b"alice", b"secret")),
        (b"BASIC " + encoded("alice:secret"), (b"alice", b"secret")),
        (b"Basic " + encoded("alice:"), (b"alice", b"")),
        (b"Basic " + encoded(":secret"), (b"", b"secret")),
        (b"Basic " + encoded("alice:a:b"), (b"alice", b"a:b")),
        (b"Basic " + encoded("é:ü"), ("é".encode(), "ü".encode())),
        (b"Basic " + base64.b64encode(b"\xff:\x00"), (b"\xff", b"\x00")),
        (b"Basic QTpCQw==", (b"A", b"BC")),
        (b"Basic QTpCQx==", (b"A", b"BC")),  # bits that mean nothing, which Go ignores too
        (b"", None),
        (b"Basic", None),
        (b"Basic ", None),
        (b"Basic  " + encoded("alice:secret"), None),
        (b"Basic\t" + encoded("alice:secret"), None),
        (b"Bearer " + encoded("alice:secret"), None),
        (encoded("alice:secret"), None),
        (b"Basic " + encoded("alice"), None),
        (b"Basic alice:secret", None),
        (b"Basic !!!!", None),
        (b"Basic QTpCQw", None),
        (b"Basic QTpCQw=", None),
        (b"Basic QTpCQw===", None),
        (b"Basic QTpC====", None),
        (b"Basic QTp=QQ==", None),
        (b"Basic QTpC\xff\xff\xff\xff", None),
        (b"Basic Q-_C", None),
    ],
)
def test_user_and_password(value: bytes, found: tuple[bytes, bytes] | None) -> None:
    assert credentials([(b"host", b"a"), (b"authorization", value)]) == found


def test_only_the_first_field_counts() -> None:
    right, wrong = b"Basic " + encoded("a:b"), b"Basic " + encoded("c:d")
    assert credentials([(b"authorization", right), (b"authorization", wrong)]) == (b"a", b"b")
    assert credentials([(b"authorization", b""), (b"authorization", right)]) is None
    assert credentials([]) is None
