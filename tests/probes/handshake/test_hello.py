"""ClientHellos: the bytes on the wire contain exactly the offer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.probes.handshake.hello import KEY_SHARE_GROUPS, Offer, client_hello, ssl2_client_hello
from exporter.tls.suites import BY_NAME, BY_OPENSSL_NAME, CLASSIC_SUITES, SSL2_KINDS, TLS13_SUITES
from tests.support.scripted import parse_hello

VERSIONS = [0x0300, 0x0301, 0x0302, 0x0303, 0x0304]


@given(
    version=st.sampled_from(VERSIONS),
    suites=st.lists(st.sampled_from(CLASSIC_SUITES), min_size=1, max_size=400, unique=True),
    name=st.sampled_from([None, "a.example", "x" * 60 + ".example"]),
    shares=st.booleans(),
)
def test_what_is_offered_is_on_the_wire(version: int, suites: list[int], name: str | None, *, shares: bool) -> None:
    data = client_hello(Offer(version, tuple(suites), name, key_shares=KEY_SHARE_GROUPS if shares else ()))
    hello = parse_hello(data)
    assert hello is not None
    assert hello.length == len(data) - 5
    assert hello.version == version
    assert hello.suites == tuple(suites)
    assert hello.server_name == (name if version > 0x0300 else None)
    assert hello.compression == ((0,) if version == 0x0304 else (1, 64, 0))
    assert bool(hello.key_shares) is (shares and version == 0x0304)
    assert bool(hello.extensions) is (version > 0x0300)
    # RFC 7685: lengths with which some load balancers hang, and a last extension without content, which others refuse.
    assert not 256 <= hello.length < 512 or version == 0x0300
    assert not hello.extensions or list(hello.extensions.values())[-1] != b""


def test_ssl2_hello_offers_every_kind() -> None:
    hello = parse_hello(ssl2_client_hello())
    assert hello is not None
    assert (hello.version, set(hello.suites)) == (2, set(SSL2_KINDS))


def test_the_registry_has_every_suite_once() -> None:
    assert len(set(CLASSIC_SUITES) | set(TLS13_SUITES)) == len(CLASSIC_SUITES) + len(TLS13_SUITES) == len(BY_NAME)
    assert {0x1301, 0x1302, 0x1303, 0x1304, 0x1305} <= set(TLS13_SUITES)
    assert 0x00FF not in CLASSIC_SUITES
    assert 0x5600 not in CLASSIC_SUITES


@pytest.mark.parametrize(
    ("openssl", "iana"),
    [
        ("ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
        ("AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"),
    ],
)
def test_openssl_names_mean_what_openssl_means(openssl: str, iana: str) -> None:
    assert BY_OPENSSL_NAME[openssl].name == iana
