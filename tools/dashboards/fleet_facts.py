"""The parts of the fleet dashboard about one subject each."""

from dataclasses import replace

from tools.dashboards.frame import TO_EXPORTER, TO_TARGET
from tools.dashboards.panels import (
    COUNT,
    GREEN,
    GRID_WIDTH,
    RED,
    YELLOW,
    Bar,
    Panel,
    Scale,
    bad_from_one,
    bars,
    graph,
    steps,
    with_many_lines,
)
from tools.dashboards.queries import ALL, KEY, count, onto, without
from tools.dashboards.shared import NOTHING, failed_probes
from tools.dashboards.tables import HIDDEN, Column, Frame, number, plain, table, verdict

YEAR_SECONDS = 365 * 24 * 3600

HSTS = ALL.of_web("tls_posture_hsts_present")
HSTS_MAX_AGE = ALL.series("tls_posture_hsts_max_age_seconds")
CAA = ALL.of_named("tls_posture_caa_present")
CAA_ALLOWS = ALL.series("tls_posture_caa_issuer_authorized")


def protocols_and_suites() -> list[Panel]:
    """Weak protocols and suites over time, known attacks, and post-quantum key exchange."""
    weak = ALL.series("tls_posture_protocol_accepted", 'protocol=~"SSLv2|SSLv3|TLSv1[.]0|TLSv1[.]1"')
    suites = ALL.series("tls_posture_cipher_suites_noncompliant")
    attacks = ALL.series("tls_posture_vulnerable")
    ready = ALL.per_target("tls_posture_post_quantum_key_exchange")
    lines = [
        graph(
            "Weak protocols accepted",
            "Targets that accept SSL 2, SSL 3, TLS 1.0 or TLS 1.1, which no target should (RFC 6176, 7568, 8996). "
            "Targets where this is unknown are not counted. The dashed line at 1: there should be none.",
            [(f"sum by (protocol) (max by ({KEY}, protocol) ({weak}))", "{{protocol}}")],
            Scale("none", bad_from_one(RED), COUNT),
            "No data: the accepted protocols of all targets are unknown",
        ),
        graph(
            "Cipher suites a policy does not allow",
            "Accepted suites that a policy of the target does not allow, over all targets, by policy and protocol. A "
            "protocol that no target accepts has no line. The dashed line at 1: there should be none.",
            [
                (
                    f"sum by (policy, protocol) (max by ({KEY}, policy, protocol) ({suites}))",
                    "{{policy}}: {{protocol}}",
                )
            ],
            Scale("none", bad_from_one(RED), COUNT),
            "No data: the accepted suites of all targets are unknown",
        ),
    ]
    classes = [
        bars(
            "Open to known attacks",
            "Targets that are vulnerable to each attack. An attack without a result for any target has no bar. Red "
            "from 1.",
            [
                Bar(
                    "{{vulnerability}}",
                    f"sort_desc(sum by (vulnerability) (max by ({KEY}, vulnerability) ({attacks})))",
                    RED,
                )
            ],
            "No data: no target has a result for any attack",
            width=12,
        ),
        bars(
            "Post-quantum key exchange",
            "Targets by whether they accept a hybrid or pure ML-KEM key exchange group, without which traffic recorded "
            "today can be read once quantum computers break the others. Not ready, or not known: yellow from 1.",
            [
                Bar("ready", count(f"{ready} == 1", ready), GREEN),
                Bar("not ready", count(f"{ready} == 0", ready), YELLOW),
                Bar("not known", count(without(ALL.targets, ready), ALL.targets), YELLOW),
            ],
            NOTHING,
            width=12,
        ),
    ]
    # A line for each protocol of each policy, and a bar for each of thirteen attacks.
    return [*map(with_many_lines, lines), *(replace(panel, height=11) for panel in classes)]


def certificates() -> list[Panel]:
    """Lifetime and trust of the certificates."""
    return [lifetimes(), certificate_table()]


def lifetimes() -> Panel:
    """Targets by share of the certificate's lifetime that is left."""
    left = ALL.lifetime_left()
    return bars(
        "Certificates by share of lifetime left",
        "Targets by the share of the lifetime that is left of their certificate. Automatic renewal usually happens "
        "with a third left (below that: yellow from 1). With less than a tenth left, renewal does not work (red from "
        "1). Targets whose certificate is unknown are in the last bar (yellow from 1).",
        [
            Bar("expired", count(f"{left} <= 0", ALL.not_after), RED),
            Bar("under a tenth", count(f"{left} > 0 < 0.1", ALL.not_after), RED),
            Bar("a tenth to a third", count(f"{left} >= 0.1 < 1 / 3", ALL.not_after), YELLOW),
            Bar("a third or more", count(f"{left} >= 1 / 3", ALL.not_after), GREEN),
            Bar("not known", count(without(ALL.targets, ALL.not_after), ALL.targets), YELLOW),
        ],
        NOTHING,
        width=8,
    )


SHARE_LEFT = number(steps(RED, (0.1, YELLOW), (1 / 3, GREEN)), "unknown", unit="percentunit")
DAYS_LEFT = number(steps(RED, (0, GREEN)), "unknown", unit="suffix: d", decimals=1)
DATE = plain("unknown", unit="dateTimeAsIso")
TRUST = verdict(("not trusted", RED), ("trusted", GREEN))


def certificate_table() -> Panel:
    """The certificates; the one that expires first is at the top."""
    soonest = ALL.per_target("tls_posture_certificate_chain_not_after_timestamp_seconds")
    ends = ALL.per_target("tls_posture_certificate_not_after_timestamp_seconds")
    match = ALL.per_target("tls_posture_certificate_hostname_match")
    return table(
        "Certificates, nearest end first",
        "The certificate that each target presents to a modern client. The share of the lifetime that is left is red "
        "below a tenth and yellow below a third; days are red when it has expired. The chain ends when its first "
        "certificate expires, possibly an issuer's. Trust depends on the trust store configured for the target. "
        "Targets whose certificate is unknown are not listed.",
        [
            Column("Lifetime left", ALL.lifetime_left(), SHARE_LEFT),
            Column("Days left", f"({ends} - time()) / 86400", DAYS_LEFT),
            Column("Ends", f"1000 * {ends}", DATE),
            Column("Chain ends", f"1000 * {soonest}", DATE),
            Column("Chain", ALL.per_target("tls_posture_certificate_trusted"), TRUST),
            Column("Name", match, verdict(("does not match", RED), ("matches", GREEN))),
        ],
        Frame(
            {"target": "Target"},
            16,
            8,
            sort_by="Lifetime left",
            links={"Target": TO_TARGET, "Exporter": TO_EXPORTER},
        ),
        "No data: the certificates of all targets are unknown",
    )


def web_and_dns() -> list[Panel]:
    """Coverage with HSTS and CAA, of the targets to which they apply."""
    kept_long = f"{HSTS} == 1 and on ({KEY}) {HSTS_MAX_AGE} >= {YEAR_SECONDS}"
    kept_short = f"{HSTS} == 1 and on ({KEY}) {HSTS_MAX_AGE} < {YEAR_SECONDS}"
    locked_out = f"{CAA} == 1 and on ({KEY}) {CAA_ALLOWS} == 0"
    return [
        bars(
            "HSTS",
            "Targets with a DNS name that speak HTTPS, by the HSTS policy of their first response (RFC 6797). Without "
            "a policy: red from 1. A policy with a max-age below a year, or an unknown one: yellow from 1.",
            [
                Bar("a year or longer", count(kept_long, HSTS), GREEN),
                Bar("under a year", count(kept_short, HSTS), YELLOW),
                Bar("none", count(f"{HSTS} == 0", HSTS), RED),
                Bar("not known", count(without(ALL.web_targets, HSTS), ALL.web_targets), YELLOW),
            ],
            "No data: no target with a DNS name speaks HTTPS",
            width=6,
        ),
        bars(
            "CAA",
            "Targets with a DNS name, by whether CAA records apply to the name (RFC 8659). Without records, or with "
            "records that do not allow the CA that issued the certificate: red from 1. Failed lookup: yellow from 1.",
            [
                Bar("present", count(f"{CAA} == 1", CAA), GREEN),
                Bar("of them, not for its CA", count(locked_out, f"({CAA} and on ({KEY}) {CAA_ALLOWS})"), RED),
                Bar("none", count(f"{CAA} == 0", CAA), RED),
                Bar("not known", count(without(ALL.named_targets, CAA), ALL.named_targets), YELLOW),
            ],
            "No data: no target has a DNS name",
            width=6,
        ),
        graph(
            "HSTS and CAA coverage over time",
            "Share of the targets with an HSTS policy or CAA records, among those where this applies and is "
            "known. The dashed line is full coverage.",
            [(f"avg({HSTS})", "HSTS"), (f"avg({CAA})", "CAA")],
            Scale("percentunit", steps(YELLOW, (1, GREEN)), {"min": 0, "max": 1}),
            "No data: HSTS and CAA of all targets are unknown",
        ),
    ]


def software() -> Panel:
    """Software of the targets; releases past their end of support come first."""
    rows = ALL.per_target("tls_posture_server_software_info", "max", f"{KEY}, product, version")
    maintained = ALL.per_target("tls_posture_server_software_maintained")
    ends = ALL.per_target("tls_posture_server_software_eol_timestamp_seconds")
    return table(
        "Software, past its end first",
        "Software that targets announce themselves. Red: one of the products of a target lacks fixes, because its "
        "release series has ended or because it is an old version of a series. Unknown: no full version is announced, "
        "or a distribution may supply fixes. Support ends: the earliest end of all products of the target. Targets "
        "that announce no software are not listed.",
        [
            Column("Rank", f"{onto(rows, f'2 * {maintained}')} or {rows}", HIDDEN),  # unknown between the two
            Column("Fixes", onto(rows, maintained), verdict(("none any more", RED), ("maintained", GREEN))),
            Column("Support ends", f"1000 * ({onto(rows, ends)})", DATE),
        ],
        Frame(
            {"target": "Target", "product": "Product", "version": "Version"},
            GRID_WIDTH,
            8,
            sort_by="Rank",
            links={"Target": TO_TARGET, "Exporter": TO_EXPORTER},
        ),
        "No data: no target announces its software",
    )


def scans() -> list[Panel]:
    """Whether the scans behind all this work."""
    everything = f"sum({ALL.series('tls_posture_probe_success')} == bool 0)"
    return [replace(failed_probes((everything, "all")), width=GRID_WIDTH)]
