"""The parts of the fleet dashboard about one subject each."""

from dataclasses import replace

from tools.dashboards.compliance import of_none
from tools.dashboards.frame import TO_EXPORTER, TO_TARGET
from tools.dashboards.panels import (
    BLUE,
    COUNT,
    GREEN,
    GRID_WIDTH,
    PURPLE,
    RED,
    YELLOW,
    Bar,
    Panel,
    Scale,
    bad_from_one,
    bars,
    graph,
    steps,
)
from tools.dashboards.queries import ALL, KEY, count, onto, without
from tools.dashboards.shared import NOTHING
from tools.dashboards.tables import HIDDEN, Column, Frame, number, plain, table, verdict

YEAR_SECONDS = 365 * 24 * 3600

HSTS = ALL.of_web("tls_posture_hsts_present")
HSTS_MAX_AGE = ALL.series("tls_posture_hsts_max_age_seconds")
CAA = ALL.of_named("tls_posture_caa_present")
CAA_ALLOWS = ALL.series("tls_posture_caa_issuer_authorized")


def protocols_and_suites() -> list[Panel]:
    """Weak protocols over time, known attacks, and post-quantum key exchange."""
    return [replace(panel, height=10) for panel in (weak_protocols(), attacks(), post_quantum())]


def weak_protocols() -> Panel:
    """Targets that accept weak protocols, over time."""
    weak = ALL.series("tls_posture_protocol_accepted", 'protocol=~"SSLv2|SSLv3|TLSv1[.]0|TLSv1[.]1"')
    known = ALL.series("tls_posture_weak_protocols")
    panel = graph(
        "Weak protocols accepted",
        "Targets that accept SSL 2, SSL 3, TLS 1.0 or TLS 1.1, which no target should (RFC 6176, 7568, 8996). The line "
        "not known has the targets of which this is unknown for one of the four. The dashed line at 1: there should be "
        "none.",
        [
            (f"sum by (protocol) ({weak})", "{{protocol}}"),
            (count(without(ALL.targets, known), ALL.targets), "not known"),
        ],
        Scale("none", bad_from_one(RED), COUNT, colours={"not known": PURPLE}),
        "No data: the accepted protocols of all targets are unknown",
    )
    return replace(panel, width=8)


def attacks() -> Panel:
    """Targets by attack."""
    key = f"{KEY}, vulnerability"
    known = ALL.per_target("tls_posture_vulnerable", "max", key)
    each = f"count by (vulnerability) ({known})"
    return table(
        "Open to known attacks",
        "Targets that are vulnerable to each attack, red from 1, and targets that are not. Unknown: there is no "
        "result for the target, yellow from 1. An attack without a result for any target is not listed.",
        [
            Column("Open", f"count by (vulnerability) ({known} == 1) or 0 * {each}", of_none(RED)),
            Column("Unknown", f"count({ALL.targets}) - on () group_right () {each}", of_none(YELLOW)),
            Column("Not open", f"count by (vulnerability) ({known} == 0) or 0 * {each}", plain("–")),
        ],
        Frame({"vulnerability": "Attack"}, 8, 8, sort_by="Open", highest_first=True),
        "No data: no target has a result for any attack",
    )


def post_quantum() -> Panel:
    """Targets by post-quantum key exchange."""
    ready = ALL.per_target("tls_posture_post_quantum_key_exchange")
    return bars(
        "Post-quantum key exchange",
        "Targets by whether they accept a hybrid or pure ML-KEM key exchange group, without which traffic recorded "
        "today can be read once quantum computers break the others. Not ready, or not known: yellow from 1.",
        [
            Bar("ready", count(f"{ready} == 1", ready), GREEN),
            Bar("not ready", count(f"{ready} == 0", ready), YELLOW),
            Bar("not known", count(without(ALL.targets, ready), ALL.targets), YELLOW),
        ],
        NOTHING,
        width=8,
    )


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


def ends() -> Panel:
    """Targets by the time until their certificate expires."""
    left = ALL.days_left()
    weeks = {"within 7 days": (0, 7), "8 to 14 days": (7, 14), "15 to 30 days": (14, 30), "31 to 90 days": (30, 90)}
    return bars(
        "Certificates by time until the end",
        "Targets by when their leaf certificate expires. Expired: red from 1. Within two weeks: yellow from 1, which "
        "is usual for certificates that live for some days only. Later: blue. Targets whose certificate is unknown are "
        "in the last bar (yellow from 1). The table of certificates below has which ones end next.",
        [
            Bar("expired", count(f"{left} <= 0", ALL.not_after), RED),
            *(
                Bar(name, count(f"({left} > {first}) <= {last}", ALL.not_after), YELLOW if last <= 14 else BLUE)
                for name, (first, last) in weeks.items()
            ),
            Bar("later", count(f"{left} > 90", ALL.not_after), BLUE),
            Bar("not known", count(without(ALL.targets, ALL.not_after), ALL.targets), YELLOW),
        ],
        NOTHING,
        width=8,
    )


SHARE_LEFT = number(steps(RED, (0.1, YELLOW), (1 / 3, GREEN)), "unknown", unit="percentunit")
DAYS_LEFT = number(steps(RED, (0, GREEN)), "unknown", unit="suffix: d")
DATE = plain("unknown", unit="time:YYYY-MM-DD")
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
            Column("Lifetime", ALL.lifetime_left(), SHARE_LEFT),
            Column("Days left", ALL.days_left(), DAYS_LEFT),
            Column("Ends", f"1000 * {ends}", DATE),
            Column("Chain ends", f"1000 * {soonest}", DATE),
            Column("Chain", ALL.per_target("tls_posture_certificate_trusted"), TRUST),
            Column("Name", match, verdict(("does not match", RED), ("matches", GREEN))),
        ],
        Frame(
            {"target": "Target"},
            GRID_WIDTH,
            9,
            sort_by="Days left",
            links={"Target": TO_TARGET, "Exporter": TO_EXPORTER},
            targets=ALL.targets,
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
            width=8,
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
            width=8,
        ),
    ]


def coverage() -> Panel:
    """Coverage with HSTS and CAA over time."""
    return graph(
        "HSTS and CAA coverage over time",
        "Share of the targets with an HSTS policy or CAA records, among those where this applies and is "
        "known. The dashed line is full coverage.",
        [(f"avg({HSTS})", "HSTS"), (f"avg({CAA})", "CAA")],
        Scale("percentunit", steps(YELLOW, (1, GREEN)), {"min": 0, "max": 1}),
        "No data: HSTS and CAA of all targets are unknown",
    )


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
            Column("Fixes", onto(rows, maintained), verdict(("none", RED), ("maintained", GREEN))),
            Column("Support ends", f"1000 * ({onto(rows, ends)})", DATE),
        ],
        Frame(
            {"target": "Target", "product": "Product", "version": "Version"},
            GRID_WIDTH,
            8,
            sort_by="Rank",
            links={"Target": TO_TARGET, "Exporter": TO_EXPORTER},
            targets=ALL.targets,
        ),
        "No data: no target announces its software",
    )
