"""Names of suites compared with the parameters in the registry, which come from another source."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptodatahub.tls.algorithm import SslCipherKind, TlsCipherSuite

from exporter.derived.attacks import has_blocks_of_64, is_cbc, is_finite_field, is_rc4, is_rsa_export
from exporter.derived.verdicts import Trait, search
from exporter.model import Protocol
from exporter.tls.suites import SUITES
from tests.support.facts import GCM, RC4, handshake

BLOCKS_OF_64 = {"DES", "DES40", "TRIPLE_DES_EDE", "TRIPLE_DES_168", "IDEA", "IDEA_128", "RC2", "RC2_40", "RC2_56"}
BLOCKS_OF_64 |= {"RC2_128", "FORTEZZA"}


def registered() -> Iterator[tuple[str, Any]]:
    """Each suite by its name in this program, and its parameters."""
    yield from ((entry.value.iana_name or entry.name, entry.value) for entry in TlsCipherSuite)
    yield from ((kind.value.iana_name or kind.name, kind.value) for kind in SslCipherKind)


def cipher(params: Any) -> str:  # noqa: ANN401 - of a library without types
    return params.bulk_cipher.name if params.bulk_cipher else ""


def in_cbc_mode(params: Any) -> bool:  # noqa: ANN401
    """The registry gives that mode to two suites with RC4 as well."""
    mode = params.block_cipher_mode.name if params.block_cipher_mode else ""
    return mode == "CBC" and not cipher(params).startswith("RC4")


def finite(params: Any) -> bool:  # noqa: ANN401
    return params.key_exchange is not None and params.key_exchange.name in {"DHE", "ADH", "DH"}


@pytest.mark.parametrize(
    ("wanted", "expected", "least"),
    [
        (is_rc4, lambda params: cipher(params).startswith("RC4"), 25),
        (has_blocks_of_64, lambda params: cipher(params) in BLOCKS_OF_64, 60),
        (is_finite_field, finite, 130),
    ],
    ids=["RC4", "64-bit blocks", "finite fields"],
)
def test_names_tell_what_the_registry_says_of_every_suite(
    wanted: Trait, expected: Callable[[Any], bool], least: int
) -> None:
    told = {name: wanted(name) for name, _ in registered()}
    assert told == {name: expected(params) for name, params in registered()}
    assert sum(map(bool, told.values())) >= least


def test_names_tell_the_mode_of_every_suite_that_ssl_3_may_have() -> None:
    suites = [(entry.value.iana_name or entry.name, entry.value) for entry in TlsCipherSuite]
    assert {name: is_cbc(name) for name, _ in suites} == {name: in_cbc_mode(params) for name, params in suites}


def test_export_suites_of_rsa_are_those_that_the_registry_has() -> None:
    for name, params in ((entry.value.iana_name or entry.name, entry.value) for entry in TlsCipherSuite):
        exchange = params.key_exchange.name if params.key_exchange else ""
        expected = bool(params.export_grade) and exchange == "RSA"
        assert is_rsa_export(name) is (None if expected and "EXPORT1024" in name else expected), name


def test_gost_and_magma_change_their_keys_before_it_matters() -> None:
    names = [suite.name for suite in SUITES if "28147" in suite.name or "MAGMA" in suite.name]
    assert len(names) >= 5
    assert not any(map(has_blocks_of_64, names))


@pytest.mark.parametrize("wanted", [is_rc4, has_blocks_of_64, is_cbc, is_finite_field, is_rsa_export])
def test_a_bare_number_may_be_anything(wanted: Trait) -> None:
    assert wanted("0xFEED") is None


def test_a_search_tells_what_it_found_and_what_it_left_open() -> None:
    seen = search(
        handshake(
            {Protocol.TLS1_0: (RC4, "0xFEED"), Protocol.TLS1_1: (), Protocol.TLS1_2: (GCM,)},
            open_protocols=[Protocol.SSL3],
            incomplete=[Protocol.TLS1_2],
        ),
        (Protocol.SSL2, Protocol.SSL3, Protocol.TLS1_0, Protocol.TLS1_1, Protocol.TLS1_2),
        is_rc4,
    )
    assert seen.evidence == (f"TLSv1.0 {RC4}",)
    assert seen.left_open == (
        "SSLv3 may be accepted",
        "TLSv1.0 0xFEED may be one",
        "the list of TLSv1.1 may not be complete",
        "the list of TLSv1.2 may not be complete",
    )
