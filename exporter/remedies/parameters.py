"""Configuration lines for negotiated parameters: groups, primes, signature schemes, extensions."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from exporter.model import CipherOrder, Protocol
from exporter.remedies.servers import Change, Server, listed
from exporter.tls.parameters import FFDHE, POST_QUANTUM_GROUPS

_OPENSSL_GROUPS: Mapping[str, str] = {
    "x25519": "X25519",
    "x448": "X448",
    "secp256r1": "prime256v1",
    **{name: name for name in ("secp384r1", "secp521r1", "secp224r1", "secp256k1")},
    **{name: name for name in ("brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1")},
    **{name: name for name in ("brainpoolP256r1tls13", "brainpoolP384r1tls13", "brainpoolP512r1tls13")},
    **{name: name for name in FFDHE.values()},
    **{name: name for name in ("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024")},
    **{name: name for name in ("MLKEM512", "MLKEM768", "MLKEM1024")},
}
"""IANA's names -> OpenSSL's, of the groups in OpenSSL 3."""
SOUND_GROUPS = ("x25519", "secp256r1", "secp384r1", "x448", "secp521r1")
"""Groups that every OpenSSL since 1.1.1 has, in the order in which they are turned on."""
_OPENSSL_SCHEMES = frozenset(
    {
        *("ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512", "ed25519", "ed448"),
        *("rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"),
        *("rsa_pss_pss_sha256", "rsa_pss_pss_sha384", "rsa_pss_pss_sha512"),
        *("rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512", "rsa_pkcs1_sha224", "ecdsa_sha224"),
        *("rsa_pkcs1_sha1", "ecdsa_sha1"),
    }
)
"""IANA's names that OpenSSL 3 also uses."""
SOUND_PRIME_BITS = 2048
"""A size that nobody is thought to be able to break ("Imperfect Forward Secrecy", section 5)."""
SOUND_SCHEMES = (
    *("ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512", "ed25519", "ed448"),
    *("rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"),
    *("rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512"),
)


def groups_change(keep: Sequence[str]) -> Change:
    """The change that makes the server offer these groups (IANA names), in order of preference."""
    names = [_OPENSSL_GROUPS[name] for name in keep if name in _OPENSSL_GROUPS]
    if not names:
        return Change("The policy permits no group that OpenSSL has, so the policy must be changed.")
    what = f"Accept the groups {listed(list(keep))} only."
    if "secp256r1" not in keep:
        what += " Up to TLSv1.2 a certificate with an EC key needs its own curve among them."
    if POST_QUANTUM_GROUPS & set(keep):
        what += " The hybrids with ML-KEM need OpenSSL 3.5 or newer."
    text = ":".join(names)
    lines = {
        Server.NGINX: (f"ssl_ecdh_curve {text};",),
        Server.APACHE: (f"SSLOpenSSLConfCmd Groups {text}",),
        Server.HAPROXY: (f"ssl-default-bind-curves {text}",),
        Server.POSTFIX: (f"tls_eecdh_auto_curves = {' '.join(name for name in names if name not in FFDHE.values())}",),
        Server.DOVECOT: (f"ssl_curve_list = {text}",),
        Server.ANY: (f"Groups = {text}",),
    }
    notes = {Server.POSTFIX: "It is for clients too. Finite fields have a setting of their own, tls_ffdhe_auto_groups."}
    return Change(what, lines, notes if any(name in FFDHE.values() for name in names) else {})


def schemes_change(keep: Sequence[str]) -> Change:
    """The change that makes the server sign with these schemes (IANA names) only."""
    names = [name for name in keep if name in _OPENSSL_SCHEMES]
    if not names:
        return Change("The policy permits no signature scheme that OpenSSL has, so the policy must be changed.")
    text = ":".join(names)
    lines = {
        Server.NGINX: (f"ssl_conf_command SignatureAlgorithms {text};",),
        Server.APACHE: (f"SSLOpenSSLConfCmd SignatureAlgorithms {text}",),
        Server.HAPROXY: (f"ssl-default-bind-sigalgs {text}",),
        Server.ANY: (f"SignatureAlgorithms = {text}",),
    }
    own = f"It has no setting for it; SignatureAlgorithms = {text} in OpenSSL's configuration is one."
    notes = {
        Server.NGINX: "ssl_conf_command needs nginx 1.19.4.",
        Server.HAPROXY: "It needs HAProxy 2.8.",
        **dict.fromkeys((Server.POSTFIX, Server.DOVECOT), own),
    }
    return Change(f"Sign with {listed(names)} only.", lines, notes)


def dh_change(bits: int) -> Change:
    """The change to a well-known prime of at least this size for finite-field key exchange."""
    sizes = [int(name.removeprefix("ffdhe")) for name in FFDHE.values()]
    size = next((one for one in sizes if one >= bits), None)
    if size is None:
        return Change(
            f"No known prime has {bits} bits or more: turn the suites with DHE off, whose names begin with DHE-."
        )
    file = f"/etc/ssl/ffdhe{size}.pem"
    what = (
        f"Either turn the suites with DHE off, which hardly any client needs, or use ffdhe{size} (RFC 7919): "
        f"openssl genpkey -genparam -algorithm DH -pkeyopt group:ffdhe{size} -out {file}"
    )
    lines = {
        Server.NGINX: (f"ssl_dhparam {file};",),
        Server.APACHE: (f"SSLOpenSSLConfCmd DHParameters {file}",),
        Server.HAPROXY: (f"ssl-dh-param-file {file}",),
        Server.POSTFIX: () if size <= SOUND_PRIME_BITS else ("smtpd_tls_exclude_ciphers = kDHE",),
        Server.DOVECOT: (f"ssl_dh = <{file}",),
        Server.DOVECOT_2_4: (f"ssl_server_dh_file = {file}",),
    }
    return Change(f"{what}.", lines, _dh_notes(size, file))


def _dh_notes(size: int, file: str) -> Mapping[Server, str]:
    """Notes on primes. For Postfix see postconf(5) and DEPRECATION_README, smtpd_tls_dh1024_param_file."""
    if size <= SOUND_PRIME_BITS:
        postfix = (
            "Take smtpd_tls_dh1024_param_file out of main.cf: by default Postfix has primes of 2048 bits or more. "
            "Since 3.9 it warns that the setting will be removed. "
            f"Before Postfix 3.1 the default is smaller: set it to {file}."
        )
    else:
        postfix = (
            "Take smtpd_tls_dh1024_param_file out of main.cf as well: since Postfix 3.9 it is deprecated, and there is "
            f"no other setting for a prime of this size. An older Postfix can have it set to {file} instead."
        )
    return {
        Server.POSTFIX: postfix,
        Server.DOVECOT: "In Dovecot 2.4 it is ssl_server_dh_file.",
        Server.DOVECOT_2_4: "",
    }


def order_change(wanted: CipherOrder, mixed: Collection[Protocol], without_chacha: tuple[str, ...] = ()) -> Change:
    """The change that lets the server's order of suites decide, or the client's.

    Args:
        wanted: server or client.
        mixed: the protocols where neither order decided throughout.
        without_chacha: lines for HAProxy that leave out ChaCha20.
    """
    ours = wanted is not CipherOrder.CLIENT
    what = f"Let the {'server' if ours else 'client'}'s order of cipher suites decide."
    if mixed:
        what += (
            f" In {listed([str(protocol) for protocol in mixed])} neither order decides throughout: PrioritizeChaCha is"
            " on, or several machines answer that are set differently."
        )
    lines = {
        Server.NGINX: (f"ssl_prefer_server_ciphers {'on' if ours else 'off'};",),
        Server.APACHE: (f"SSLHonorCipherOrder {'on' if ours else 'off'}",),
        Server.HAPROXY: without_chacha if ours else ("ssl-default-bind-options prefer-client-ciphers",),
        Server.POSTFIX: (f"tls_preempt_cipherlist = {'yes' if ours else 'no'}",),
        Server.DOVECOT: (f"ssl_prefer_server_ciphers = {'yes' if ours else 'no'}",),
        Server.DOVECOT_2_4: (f"ssl_server_prefer_ciphers = {'server' if ours else 'client'}",),
        Server.ANY: (f"Options = {'' if ours else '-'}ServerPreference{',-PrioritizeChaCha' if mixed else ''}",),
    }
    notes = {
        Server.DOVECOT: f"In Dovecot 2.4 it is ssl_server_prefer_ciphers = {'server' if ours else 'client'}.",
        Server.DOVECOT_2_4: "",
    }
    if ours:
        notes[Server.HAPROXY] = (
            "HAProxy uses its own order, unless prefer-client-ciphers is among its options. It always prefers ChaCha20 "
            "where clients do."
        )
    return Change(what, lines, notes)


def compression_change() -> Change:
    """The change that turns off compression within TLS."""
    lines = {
        Server.NGINX: ("ssl_conf_command Options -Compression;",),
        Server.APACHE: ("SSLCompression off",),
        Server.POSTFIX: ("tls_ssl_options = NO_COMPRESSION",),
        Server.ANY: ("Options = -Compression",),
    }
    notes = {
        Server.NGINX: "ssl_conf_command needs nginx 1.19.4; nginx has had it off since 1.2.2.",
        Server.HAPROXY: "HAProxy turns it off by itself; update it.",
        Server.DOVECOT: "Take compression out of ssl_options.",
    }
    what = "Turn TLS compression off; OpenSSL has had it off since 1.1.0, so update an older one."
    return Change(what, lines, notes)


def extensions_change(wanted: Mapping[str, bool]) -> tuple[Change, ...]:
    """The changes that turn these extensions on or off (names as in the facts)."""
    return tuple(change for name, there in wanted.items() for change in _extension(name, there=there))


_UPDATES: Mapping[tuple[str, bool], str] = {
    ("secure_renegotiation", True): "OpenSSL has secure renegotiation (RFC 5746) since 0.9.8m: update the TLS library.",
    (
        "extended_master_secret",
        True,
    ): "OpenSSL has extended_master_secret (RFC 7627) since 1.1.0: update the TLS library.",
    ("fallback_scsv", True): "OpenSSL has the fallback signal (RFC 7507) since 1.0.1j: update the TLS library.",
    (
        "heartbeat",
        False,
    ): "OpenSSL has no heartbeat (RFC 6520) any more since 1.1.1: update the TLS library, or build it "
    "with -DOPENSSL_NO_HEARTBEATS.",
    ("downgrade_marks", True): "Servers with TLSv1.3 mark older answers (RFC 8446, 4.1.3): update the TLS library.",
}


def _extension(name: str, *, there: bool) -> Iterator[Change]:
    match name:
        case "session_tickets":
            yield _tickets(on=there)
        case "encrypt_then_mac":
            yield _encrypt_then_mac(on=there)
        case "ocsp_stapling":
            yield _stapling(on=there)
        case _:
            verb = "Turn on" if there else "Turn off"
            yield Change(_UPDATES.get((name, there), f"{verb} {name}; no server has a line for it alone."))


def _tickets(*, on: bool) -> Change:
    lines = {
        Server.NGINX: (f"ssl_session_tickets {'on' if on else 'off'};",),
        Server.APACHE: (f"SSLSessionTickets {'on' if on else 'off'}",),
        Server.HAPROXY: () if on else ("ssl-default-bind-options no-tls-tickets",),
        Server.POSTFIX: () if on else ("tls_ssl_options = NO_TICKET",),
        Server.DOVECOT: () if on else ("ssl_options = no_ticket",),
        Server.ANY: (f"Options = {'' if on else '-'}SessionTicket",),
    }
    notes = {
        Server.HAPROXY: "Take no-tls-tickets out of the options of the bind line." if on else "",
        Server.POSTFIX: "Take NO_TICKET out of tls_ssl_options." if on else "Put further options after it.",
        Server.DOVECOT: "Take no_ticket out of ssl_options." if on else "Put further options after it.",
    }
    return Change(f"Turn session tickets {'on' if on else 'off'}.", lines, notes)


def _encrypt_then_mac(*, on: bool) -> Change:
    sign = "" if on else "-"
    lines = {
        Server.NGINX: (f"ssl_conf_command Options {sign}EncryptThenMac;",),
        Server.APACHE: (f"SSLOpenSSLConfCmd Options {sign}EncryptThenMac",),
        Server.ANY: (f"Options = {sign}EncryptThenMac",),
    }
    what = (
        "Suites in CBC mode need encrypt_then_mac (RFC 7366), which OpenSSL has by itself since 1.1.0; or accept none."
    )
    return Change(what if on else "Turn encrypt_then_mac off.", lines)


def _stapling(*, on: bool) -> Change:
    lines = {
        Server.NGINX: ("ssl_stapling on;", "ssl_stapling_verify on;") if on else ("ssl_stapling off;",),
        Server.APACHE: ("SSLUseStapling on",) if on else ("SSLUseStapling off",),
    }
    notes = {
        Server.NGINX: "It needs a resolver, and the issuer's certificate in ssl_certificate." if on else "",
        Server.APACHE: "Outside of the virtual hosts it needs SSLStaplingCache shmcb:logs/stapling(32768)."
        if on
        else "",
        Server.HAPROXY: "Since HAProxy 2.8 it is ocsp-update on, for the certificate in the crt-list." if on else "",
    }
    what = (
        "Staple OCSP responses, if the certificate still names an OCSP server." if on else "Staple no OCSP responses."
    )
    return Change(what, lines, notes)
