"""The sections of the target dashboard about TLS, certificates, HTTP, DNS, software and clients."""

from tools.dashboards.fleet_facts import DATE, DAYS_LEFT, SHARE_LEFT, TRUST, YEAR_SECONDS
from tools.dashboards.panels import GREEN, GRID_WIDTH, RED, YELLOW, Panel, bad_from_one, steps
from tools.dashboards.queries import KEY, ONE, onto
from tools.dashboards.shared import NO, YES
from tools.dashboards.tables import HIDDEN, Column, Frame, coded, number, plain, table, verdict

WEAK = 'protocol=~"SSLv2|SSLv3|TLSv1[.]0|TLSv1[.]1"'
STRONG = 'protocol=~"TLSv1[.]2|TLSv1[.]3"'


def protocols_and_suites() -> list[Panel]:
    """What the server accepts."""
    return [protocols(), key_exchange(), attacks(), suites()]


def protocols() -> Panel:
    """A row for each protocol."""
    key = f"{KEY}, protocol"
    weak, strong = (
        f"max by ({key}) ({ONE.series('tls_posture_protocol_accepted', which)})" for which in (WEAK, STRONG)
    )
    return table(
        "Protocols, and whose order decides",
        "Accepted protocols: red below TLS 1.2 (RFC 6176, 7568, 8996), green from TLS 1.2 on. Suites that a policy of "
        "the target does not allow, by the strictest policy: red from 1. Whose order of suites decides: green the "
        "server's, yellow the client's, even if only sometimes. With fewer than two suites there is no order.",
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
        Frame({"protocol": "Protocol"}, 13, 9, sort_by="protocol", one_target=True),
        "No data: the accepted protocols are unknown",
    )


def attacks() -> Panel:
    """A row for each known attack."""
    open_to = ONE.per_target("tls_posture_vulnerable", "max", f"{KEY}, vulnerability")
    return table(
        "Known attacks",
        "Whether the server is vulnerable to each attack: red if so, green if not. Attacks without a result are not "
        "listed.",
        [Column("Open to it", f"sort_desc({open_to})", verdict(("no", GREEN), ("open", RED)))],
        Frame({"vulnerability": "Attack"}, 7, 9, one_target=True),
        "No data: no attack has a result",
    )


def key_exchange() -> Panel:
    """Facts about all protocols together."""
    return table(
        "Key exchange and compression",
        "Green is good. Red: TLS compression (CRIME), a DH prime below 2048 bits, suites without forward "
        "secrecy. Yellow: no post-quantum key exchange. Without a finite-field key exchange there is no prime.",
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
        Frame({}, 11, 9, one_target=True),
        "No data: the key exchange is unknown",
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
        "Every accepted suite, with metrics.detail: full only. Suites that a policy does not allow come first. Red: "
        "the policy does not allow the suite. Unknown: the policy names suites that the exporter does not know.",
        [
            Column("Accepted", ONE.per_target("tls_posture_cipher_suite_info", "max", key), HIDDEN),
            Column("Allowed", f"0 * {refused} or {allowed}", verdict(NO, YES)),
        ],
        Frame(
            {"cipher_suite": "Cipher suite", "protocol": "Protocol", "policy": "Policy"},
            17,
            9,
            sort_by="Allowed",
            one_target=True,
        ),
        "No data: metrics.detail is not full, or the suites are unknown",
    )


def certificate() -> list[Panel]:
    """The served certificates: lifetime, trust, identity."""
    return [lifetime(), trust(), identity()]


def lifetime() -> Panel:
    """A row for each key algorithm."""
    key = f"{KEY}, key_algorithm"
    begins = ONE.per_target("tls_posture_certificate_not_before_timestamp_seconds", "min", key)
    ends = ONE.per_target("tls_posture_certificate_not_after_timestamp_seconds", "min", key)
    chain = ONE.per_target("tls_posture_certificate_chain_not_after_timestamp_seconds")
    return table(
        "Certificates",
        "By key algorithm. The share of the lifetime that is left is red below a tenth and yellow below a third. Days "
        "are red when it has expired. The chain ends when its first certificate expires.",
        [
            Column("Lifetime", ONE.lifetime_left(key), SHARE_LEFT),
            Column("Days left", f"({ends} - time()) / 86400", DAYS_LEFT),
            Column("Begins", f"1000 * {begins}", DATE),
            Column("Ends", f"1000 * {ends}", DATE),
            Column("Chain ends", f"1000 * ({onto(ends, chain)})", DATE),
        ],
        Frame({"key_algorithm": "Key"}, 15, 6, sort_by="Lifetime", one_target=True),
        "No data: the certificate is unknown",
    )


def trust() -> Panel:
    """Whether the chain and the name verify, and if not, why."""
    key = f"{KEY}, reason"
    reasons = ONE.per_target("tls_posture_certificate_verification_failure", "max", key)
    trusted = ONE.per_target("tls_posture_certificate_trusted")
    matches = ONE.per_target("tls_posture_certificate_hostname_match")
    return table(
        "Trust",
        "Whether each served chain verifies against the trust store of the target, and whether each certificate "
        "contains the name. Red if not: then there is a row for each reason.",
        [
            Column("Chain", f"{onto(reasons, trusted)} or on ({KEY}) {trusted}", TRUST),
            Column(
                "Name",
                f"{onto(reasons, matches)} or on ({KEY}) {matches}",
                verdict(("mismatch", RED), ("matches", GREEN)),
            ),
        ],
        Frame({"reason": "Reason"}, 9, 6, sort_by="Chain", one_target=True),
        "No data: the certificate is unknown",
    )


def identity() -> Panel:
    """Subject and issuer of the certificates, and their keys."""
    labels = {
        "subject": "Subject",
        "issuer": "Issuer",
        "key_algorithm": "Key",
        "key_size": "Bits",
        "fingerprint_sha256": "SHA-256 fingerprint",
    }
    info = ONE.per_target("tls_posture_certificate_info", "max", ", ".join([KEY, *labels]))
    return table(
        "Identity of the certificates",
        "The contents of the certificates, without a verdict. The checks say whether they are good enough, and are red "
        "if not. The page of the target in the exporter has everything else.",
        [Column("Seen", info, HIDDEN)],
        Frame(labels, GRID_WIDTH, 6, sort_by="key_algorithm", one_target=True),
        "No data: the certificate is unknown",
    )


def web_and_dns() -> list[Panel]:
    """HSTS and CAA."""
    return [hsts(), caa()]


def software_and_clients() -> list[Panel]:
    """Server software, and clients that can connect."""
    return [software(), clients()]


def _web(metric: str) -> str:
    return f"min by ({KEY}) ({ONE.of_web(metric)})"


def hsts() -> Panel:
    """The HSTS policy, and the redirect from port 80."""
    return table(
        "HSTS",
        "The policy of the first response. Browsers keep it if they accept the certificate (RFC 6797). Red: no "
        "policy, or none on error responses. Yellow: kept for less than a year, or no redirect from port 80. "
        "Subdomains and preload are optional. Browsers keep no policy for an address, so targets without a DNS name "
        "are not shown.",
        [
            Column("Policy", _web("tls_posture_hsts_present"), verdict(("none", RED), ("present", GREEN))),
            Column(
                "Kept for",
                _web("tls_posture_hsts_max_age_seconds"),
                number(steps(RED, (1, YELLOW), (YEAR_SECONDS, GREEN)), "unknown", unit="s"),
            ),
            Column("On error", _web("tls_posture_hsts_on_error_responses"), verdict(("no", RED), YES)),
            Column(
                "Redirect",
                ONE.per_target("tls_posture_http_redirects_to_https"),
                verdict(("no", YELLOW), YES),
            ),
            Column("Subdomains", _web("tls_posture_hsts_include_subdomains"), verdict(("no", "text"), YES)),
            Column("Preload", _web("tls_posture_hsts_preload"), verdict(("no", "text"), YES)),
        ],
        Frame({}, 13, 6, one_target=True),
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
        "Whether CAA records apply to the host, and whether they allow the CA that issued the certificate (RFC 8659). "
        "Red if not. Unknown: a lookup failed, or the domain that identifies the CA in CAA records is not known.",
        [
            Column(
                "Records",
                f"min by ({KEY}) ({present})",
                verdict(("none", RED), ("present", GREEN)),
            ),
            Column("Allow the CA", ONE.per_target("tls_posture_caa_issuer_authorized"), verdict(NO, YES)),
            *(Column(name, f"max by ({KEY}) ({series})", plain("–")) for name, series in records.items()),
        ],
        Frame({}, 11, 6, one_target=True),
        "No data: the target has no DNS name, or a lookup failed",
    )


def software() -> Panel:
    """The software that the target announces."""
    rows = ONE.per_target("tls_posture_server_software_info", "max", f"{KEY}, product, version")
    maintained = ONE.per_target("tls_posture_server_software_maintained")
    ends = ONE.per_target("tls_posture_server_software_eol_timestamp_seconds")
    return table(
        "Software",
        "Software that the target announces itself. Red: one of the products lacks fixes, because its release series "
        "has ended or because it is an old version of a series. Unknown: no full version is announced, or a "
        "distribution may supply fixes. Support ends: the earliest end of all products.",
        [
            Column("Shown", rows, HIDDEN),
            Column("Fixes", onto(rows, maintained), verdict(("none", RED), ("maintained", GREEN))),
            Column("Support ends", f"1000 * ({onto(rows, ends)})", DATE),
        ],
        Frame({"product": "Product", "version": "Version"}, 12, 6, sort_by="product", one_target=True),
        "No data: the target does not announce its software",
    )


def clients() -> Panel:
    """Which clients can still connect."""
    connects = ONE.per_target("tls_posture_client_connects", "min", f"{KEY}, client")
    return table(
        "Clients",
        "Whether each client that the configuration names can connect: green if so, red if not. Clients without a "
        "result are not listed.",
        [Column("Connects", f"sort({connects})", verdict(NO, YES))],
        Frame({"client": "Client"}, 12, 6, one_target=True),
        "No data: the configuration names no clients, or the results are unknown",
    )
