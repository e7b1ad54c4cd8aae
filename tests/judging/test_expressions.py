import re

import pytest

from exporter.judging.expressions import ALL_SUITES, FLAGS, VALUES, read_expression
from exporter.tls.suites import BY_ANY_NAME, BY_OPENSSL_NAME


def holding(text: str) -> set[str]:
    """OpenSSL's names of the suites, where it has one, that are like that."""
    expression = read_expression(text)
    return {suite.openssl_name or suite.name for suite in ALL_SUITES if expression.holds(suite)}


@pytest.mark.parametrize(
    ("text", "of", "expected"),
    [
        ("aead", ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-CCM8"], True),
        ("aead", ["AES128-SHA", "ECDHE-RSA-AES128-SHA256", "RC4-SHA", "TLS_SHA256_SHA256"], False),
        ("cbc", ["AES128-SHA", "DES-CBC3-SHA", "ECDHE-RSA-AES128-SHA256"], True),
        ("cbc", ["AES128-GCM-SHA256", "RC4-SHA"], False),
        ("forward_secrecy", ["DHE-RSA-AES128-SHA", "ECDHE-PSK-CHACHA20-POLY1305", "TLS_AES_128_GCM_SHA256"], True),
        ("forward_secrecy", ["AES128-SHA", "PSK-AES128-CBC-SHA", "GOST2012-GOST8912-GOST8912"], False),
        ("anonymous", ["ADH-AES128-SHA", "AECDH-AES128-SHA"], True),
        ("export", ["EXP-RC4-MD5", "SSL_CK_RC4_128_EXPORT40_WITH_MD5"], True),
        ("null_encryption", ["NULL-SHA256", "ECDHE-RSA-NULL-SHA", "TLS_SHA256_SHA256", "SSL_CK_NULL"], True),
        ("psk", ["PSK-AES128-CBC-SHA", "RSA-PSK-AES128-CBC-SHA", "DHE-PSK-AES128-CBC-SHA"], True),
        ("tls13", ["TLS_AES_128_GCM_SHA256", "TLS_AEGIS_128L_SHA256"], True),
        ("bits = 112", ["DES-CBC3-SHA", "SSL_CK_DES_192_EDE3_CBC_WITH_MD5"], True),
        ("bits < 112", ["EXP-RC4-MD5", "DES-CBC-SHA", "NULL-MD5", "SSL_CK_RC4_64_WITH_MD5"], True),
        ("bits >= 128", ["IDEA-CBC-SHA", "GOST2012-GOST8912-GOST8912", "RC4-SHA", "TLS_AES_128_CCM_SHA256"], True),
        ("key_exchange = ECDHE and authentication = ECDSA", ["ECDHE-ECDSA-AES128-SHA"], True),
        ("key_exchange != RSA", ["AES128-SHA"], False),
        ("key_exchange = PSK", ["PSK-AES128-CBC-SHA"], True),
        ("encryption = 3DES and mac = SHA1", ["DES-CBC3-SHA"], True),
        ("encryption = CHACHA20 and mac = AEAD", ["TLS_CHACHA20_POLY1305_SHA256", "DHE-RSA-CHACHA20-POLY1305"], True),
        ("mac = SHA256", ["AES128-SHA256"], True),
        ("mac = SHA256", ["AES128-GCM-SHA256"], False),
    ],
)
def test_suites_are_what_their_names_say(text: str, of: list[str], expected: bool) -> None:
    """RFC 5246, appendix A.5; RFC 8446, B.4; openssl-ciphers(1)."""
    expression = read_expression(text)
    assert {name: expression.holds(BY_ANY_NAME.get(name) or BY_OPENSSL_NAME[name]) for name in of} == dict.fromkeys(
        of, expected
    )


def test_terms_are_joined_and_turned_round() -> None:
    assert holding("export and not cbc and encryption=RC4 and mac = SHA1") == {
        "TLS_KRB5_EXPORT_WITH_RC4_40_SHA",
        "EXP1024-RC4-SHA",
        "EXP1024-DHE-DSS-RC4-SHA",
    }
    assert holding("not not export") == holding("export")
    assert holding(f"{'not ' * 10_001} export") == holding("not export")
    assert read_expression("  aead\n and  bits>=128 ").text == "aead and bits>=128"


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_tells_suites_apart(flag: str) -> None:
    assert holding(flag) | holding(f"not {flag}") == {suite.openssl_name or suite.name for suite in ALL_SUITES}
    assert holding(flag)
    assert holding(f"not {flag}")


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in VALUES.items() for value in values])
def test_every_value_is_one_of_some_suite(name: str, value: str) -> None:
    assert holding(f"{name} = {value}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not an expression, such as: aead and bits >= 128"),
        (7, "is not an expression, such as: aead and bits >= 128"),
        ("aed", "'aed' is not a property of cipher suites; did you mean aead?"),
        ("aead and bit >= 128", "'bit' is not a property of cipher suites; did you mean bits?"),
        ("aead or cbc", "terms are joined by `and`; for `or` write two entries"),
        ("aead cbc", "terms are joined by `and`; for `or` write two entries"),
        ("aead and", "a term is missing after the last word"),
        ("not", "a term is missing after the last word"),
        ("aead = true", "aead is true or false; it is not compared with a value"),
        ("bits", "bits are compared with a number by one of >= <= > < = !=, as in: bits >= 128"),
        ("bits == 128", "bits are compared with a number by one of >= <= > < = !=, as in: bits >= 128"),
        ("bits >= many", "bits are compared with a number by one of >= <= > < = !=, as in: bits >= 128"),
        ("encryption > AES", "encryption is compared with a name by = or !=, as in: encryption = SM4"),
        ("key_exchange = ECDH3", "'ECDH3' is no key_exchange of cipher suites; did you mean ECDH?"),
        ("encryption = aes", "'aes' is no encryption of cipher suites; did you mean AES?"),
        ("tls13 and cbc", "no registered cipher suite has these properties"),
    ],
)
def test_a_mistake_is_answered_with_what_was_meant(text: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_expression(text)
