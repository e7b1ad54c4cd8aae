"""The parts of the target dashboard about one subject each."""

from tools.dashboards.fleet_facts import DATE, DAYS_LEFT, SHARE_LEFT, TRUST, YEAR_SECONDS
from tools.dashboards.panels import GREEN, GRID_WIDTH, RED, YELLOW, Panel, bad_from_one, steps
from tools.dashboards.queries import KEY, ONE, onto
from tools.dashboards.shared import NO, YES
from tools.dashboards.tables import HIDDEN, Column, Frame, coded, number, plain, table, verdict

WEAK = 'protocol=~"SSLv2|SSLv3|TLSv1[.]0|TLSv1[.]1"'
STRONG = 'protocol=~"TLSv1[.]2|TLSv1[.]3"'


def protocols_and_suites() -> list[Panel]:
    """What the server accepts."""
    return [protocols(), attacks(), key_exchange(), suites()]


def protocols() -> Panel:
    """A row a protocol."""
    key = f"{KEY}, protocol"
    weak, strong = (
        f"max by ({key}) ({ONE.series('tls_posture_protocol_accepted', which)})" for which in (WEAK, STRONG)
    )
    return table(
        "Protocols, and whose order decides",
        "Accepted protocols: red below TLS 1.2 (RFC 6176, 7568, 8996), green from it on. Suites that a policy of the "
        "target does not allow: red from 1, by the strictest policy. Whose order of suites decides: green the "
        "server's, yellow the client's, if only at times; it is not there with fewer than two suites.",
        [
            Column(
                "Accepted",
                f"1 - {weak} or 3 - {strong}",
                coded(
                    {0: ("accepted", RED), 1: ("refused", GREEN), 2: ("accepted", GREEN), 3: ("refused", "text")},
                    "unknown",
                ),
            ),
            Column("Suites", ONE.per_target("tls_posture_cipher_suites_accepted", "max", key), plain("–")),
            Column(
                "Not allowed",
                ONE.per_target("tls_posture_cipher_suites_noncompliant", "max", key),
                number(bad_from_one(RED), "–"),
            ),
            Column(
                "Order",
                ONE.per_target("tls_posture_cipher_order_enforced", "min", key),
                coded({0: ("client's", YELLOW), 1: ("server's", GREEN)}, "–"),
            ),
        ],
        Frame({"protocol": "Protocol"}, 14, 8, sort_by="protocol"),
        "No data: it could not be told which protocols it accepts",
    )


def attacks() -> Panel:
    """A row a known attack."""
    open_to = ONE.per_target("tls_posture_vulnerable", "max", f"{KEY}, vulnerability")
    return table(
        "Known attacks",
        "Whether the server is open to each: red if so, green if not. One of which it could not be told is not listed.",
        [Column("Open to it", f"sort_desc({open_to})", verdict(("no", GREEN), ("open", RED)))],
        Frame({"vulnerability": "Attack"}, 10, 8),
        "No data: of no attack it could be told",
    )


def key_exchange() -> Panel:
    """What holds for all protocols together."""
    return table(
        "Key exchange and compression",
        "Green is as it should be. Red: TLS compression (CRIME), a DH prime below 2048 bits, suites without forward "
        "secrecy. Yellow: no post-quantum key exchange. There is no prime without a finite-field key exchange.",
        [
            Column("Forward secrecy", ONE.per_target("tls_posture_forward_secrecy"), verdict(NO, YES)),
            Column(
                "Post-quantum",
                ONE.per_target("tls_posture_post_quantum_key_exchange"),
                verdict(("no", YELLOW), YES),
            ),
            Column(
                "Compression",
                ONE.per_target("tls_posture_compression_accepted", "max"),
                verdict(("refused", GREEN), ("accepted", RED)),
            ),
            Column(
                "DH prime bits",
                ONE.per_target("tls_posture_dh_prime_bits"),
                number(steps(RED, (2048, GREEN)), "–"),
            ),
        ],
        Frame({}, 10, 8),
        "No data: the handshakes could not be told",
    )


def suites() -> Panel:
    """Every accepted suite by name."""
    key = f"{KEY}, policy, protocol, cipher_suite"
    allowed, refused = (
        f"max by ({key}) ({ONE.series('tls_posture_cipher_suite_info', which)})"
        for which in ('compliant="true"', 'compliant="false"')
    )
    return table(
        "Cipher suites",
        "Every accepted suite, in full detail only (metrics.detail: full), those that a policy does not allow first. "
        "Red: the policy does not allow it. Unknown: it names suites that are not known.",
        [
            Column("Accepted", ONE.per_target("tls_posture_cipher_suite_info", "max", key), HIDDEN),
            Column("Allowed", f"0 * {refused} or {allowed}", verdict(NO, YES)),
        ],
        Frame({"policy": "Policy", "protocol": "Protocol", "cipher_suite": "Cipher suite"}, 14, 8, sort_by="Allowed"),
        "No data: metrics.detail is not full, or the suites are not known",
    )


def certificate() -> list[Panel]:
    """The served certificates: how long, how trusted, which."""
    return [lifetime(), trust(), identity()]


def lifetime() -> Panel:
    """A row a kind of key."""
    key = f"{KEY}, key_algorithm"
    begins = ONE.per_target("tls_posture_certificate_not_before_timestamp_seconds", "min", key)
    ends = ONE.per_target("tls_posture_certificate_not_after_timestamp_seconds", "min", key)
    chain = ONE.per_target("tls_posture_certificate_chain_not_after_timestamp_seconds")
    return table(
        "Certificates",
        "By kind of key. The share of the lifetime that is left is red below a tenth and yellow below a third; days "
        "are red when it has expired. The earliest end in the chain counts.",
        [
            Column("Lifetime left", ONE.lifetime_left(key), SHARE_LEFT),
            Column("Days left", f"({ends} - time()) / 86400", DAYS_LEFT),
            Column("Begins", f"1000 * {begins}", DATE),
            Column("Ends", f"1000 * {ends}", DATE),
            Column("Chain ends", f"1000 * ({onto(ends, chain)})", DATE),
        ],
        Frame({"key_algorithm": "Key"}, 16, 6, sort_by="Lifetime left"),
        "No data: the certificate was not seen",
    )


def trust() -> Panel:
    """Whether the chain and the name hold, and why not."""
    key = f"{KEY}, reason"
    reasons = ONE.per_target("tls_posture_certificate_verification_failure", "max", key)
    trusted = ONE.per_target("tls_posture_certificate_trusted")
    matches = ONE.per_target("tls_posture_certificate_hostname_match")
    return table(
        "Trust",
        "Whether each served chain verifies against the trust store of the target, and each certificate carries the "
        "name. Red where not; then there is a row for each reason.",
        [
            Column("Chain", f"{onto(reasons, trusted)} or on ({KEY}) {trusted}", TRUST),
            Column(
                "Name",
                f"{onto(reasons, matches)} or on ({KEY}) {matches}",
                verdict(("does not match", RED), ("matches", GREEN)),
            ),
        ],
        Frame({"reason": "Reason"}, 8, 6, sort_by="Chain"),
        "No data: the certificate was not seen",
    )


def identity() -> Panel:
    """Whose certificate it is, and who issued it."""
    labels = {
        "subject": "Subject",
        "issuer": "Issuer",
        "key_algorithm": "Key",
        "key_size": "Bits",
        "signature_algorithm": "Signature",
        "serial": "Serial number",
        "fingerprint_sha256": "SHA-256 fingerprint",
    }
    info = ONE.per_target("tls_posture_certificate_info", "max", ", ".join([KEY, *labels]))
    return table(
        "Identity of the certificates",
        "What the certificates say of themselves; no colour judges it. Whether it is good enough is among the checks, "
        "red where it fails.",
        [Column("Seen", info, HIDDEN)],
        Frame(labels, GRID_WIDTH, 6, sort_by="key_algorithm"),
        "No data: the certificate was not seen",
    )


def web_and_dns() -> list[Panel]:
    """What the web server and the DNS say."""
    return [hsts(), caa()]


def software_and_clients() -> list[Panel]:
    """What it runs on, and who can connect."""
    return [software(), clients()]


def _web(metric: str) -> str:
    return f"min by ({KEY}) ({ONE.of_web(metric)})"


def hsts() -> Panel:
    """The HSTS policy, and how browsers come to it."""
    return table(
        "HSTS",
        "The policy of the first response, which browsers keep if they take the certificate (RFC 6797). Red: none, or "
        "none on error responses; yellow: kept for less than a year, or no redirect from port 80. Subdomains and "
        "preload are a choice. Browsers keep none for an address, so a target without a DNS name is left out.",
        [
            Column("Policy", _web("tls_posture_hsts_present"), verdict(("none", RED), ("present", GREEN))),
            Column(
                "Kept for",
                _web("tls_posture_hsts_max_age_seconds"),
                number(steps(RED, (1, YELLOW), (YEAR_SECONDS, GREEN)), "unknown", unit="s"),
            ),
            Column("On error responses", _web("tls_posture_hsts_on_error_responses"), verdict(("no", RED), YES)),
            Column(
                "Redirect",
                ONE.per_target("tls_posture_http_redirects_to_https"),
                verdict(("no", YELLOW), YES),
            ),
            Column("Subdomains", _web("tls_posture_hsts_include_subdomains"), verdict(("no", "text"), YES)),
            Column("Preload", _web("tls_posture_hsts_preload"), verdict(("no", "text"), YES)),
        ],
        Frame({}, 12, 6),
        "No data: no HTTPS, no DNS name, or no answer",
    )


def caa() -> Panel:
    """The CAA records that apply."""
    present = ONE.of_named("tls_posture_caa_present")
    records = {
        name: ONE.series("tls_posture_caa_records", f'tag="{tag}"')
        for name, tag in (("issue", "issue"), ("issuewild", "issuewild"), ("iodef", "iodef"))
    }
    return table(
        "CAA",
        "Whether CAA records apply to the host, and allow the CA that issued the certificate (RFC 8659); red where "
        "not. Unknown: a lookup failed, or it is not known by which domain the CA goes.",
        [
            Column(
                "Records",
                f"min by ({KEY}) ({present})",
                verdict(("none", RED), ("present", GREEN)),
            ),
            Column("Allow the CA", ONE.per_target("tls_posture_caa_issuer_authorized"), verdict(NO, YES)),
            *(Column(name, f"max by ({KEY}) ({series})", plain("–")) for name, series in records.items()),
        ],
        Frame({}, 12, 6),
        "No data: it has no name, or a lookup failed",
    )


def software() -> Panel:
    """What the target runs on by its own word."""
    rows = ONE.per_target("tls_posture_server_software_info", "max", f"{KEY}, product, version")
    maintained = ONE.per_target("tls_posture_server_software_maintained")
    ends = ONE.per_target("tls_posture_server_software_eol_timestamp_seconds")
    return table(
        "Software",
        "What the target shows of its own accord. Red: one of the products lacks fixes, by its release series or "
        "as an old version of it. Unknown: no full version is shown, or a distribution may fix it. The end of support "
        "is the earliest of all.",
        [
            Column("Shown", rows, HIDDEN),
            Column("Fixes", onto(rows, maintained), verdict(("none any more", RED), ("maintained", GREEN))),
            Column("Support ends", f"1000 * ({onto(rows, ends)})", DATE),
        ],
        Frame({"product": "Product", "version": "Version"}, 12, 6, sort_by="product"),
        "No data: it does not show its software",
    )


def clients() -> Panel:
    """Who can still connect."""
    connects = ONE.per_target("tls_posture_client_connects", "min", f"{KEY}, client")
    return table(
        "Clients",
        "Whether each client that the configuration names can connect: green if so, red if not. One of which it is not "
        "known is not listed.",
        [Column("Connects", f"sort({connects})", verdict(NO, YES))],
        Frame({"client": "Client"}, 12, 6),
        "No data: the configuration names no clients, or it is not known",
    )
