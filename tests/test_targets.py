"""Targets as the rest of the program sees them, with every default filled in."""

from datetime import timedelta

import pytest

from exporter import __version__
from exporter.config import Config
from exporter.config.sections import GlobalSettings, TargetSettings
from exporter.errors import TargetError
from exporter.model import Addresses, ClientCertificate, HttpOptions, IpProtocol, Proxy, Target
from exporter.services import PROTOCOLS, STARTTLS, parse_service
from exporter.targets import DEFAULT_SCAN_TIMEOUT, make_target, named, static_targets

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def _made(target: dict[str, object], usual: dict[str, object] | None = None) -> Target:
    settings = TargetSettings.model_validate({"host": "www.example.com", **target})
    return make_target(settings, GlobalSettings.model_validate(usual or {}))


def test_a_bare_host_gets_every_default() -> None:
    assert _made({}) == Target(
        name="www.example.com:443",
        host="www.example.com",
        port=443,
        policies=("kopano-checklist",),
        protocol="https",
        server_name="www.example.com",
        connections_per_host=4,
        timeout_seconds=5.0,
        http=HttpOptions(user_agent=f"tls-posture-exporter/{__version__}", port=80),
        scan_interval=6 * HOUR,
        scan_timeout=2 * MINUTE,
        max_age=18 * HOUR,
    )


@pytest.mark.parametrize(
    ("option", "usual", "own", "attribute", "expected"),
    [
        ("policy", "all", "one", "policies", (("all",), ("one",))),
        ("scan_interval", "3h", "1h", "scan_interval", (3 * HOUR, HOUR)),
        ("scan_timeout", "3m", "1m", "scan_timeout", (3 * MINUTE, MINUTE)),
        ("timeout", "7s", "500ms", "timeout_seconds", (7.0, 0.5)),
        ("max_age", "2d", "1d", "max_age", (48 * HOUR, 24 * HOUR)),
        ("connections_per_host", 2, 1, "connections_per_host", (2, 1)),
        ("connection_gap", "20ms", "0s", "connection_gap_seconds", (0.02, 0.0)),
        (
            *("proxy_url", "http://all.example:3128", "socks5://one.example:1080", "proxy"),
            (Proxy("http", "all.example", 3128), Proxy("socks5", "one.example", 1080)),
        ),
        ("proxy_url", "http://all.example:3128", "direct", "proxy", (Proxy("http", "all.example", 3128), None)),
        ("ehlo_name", "all.example.com", None, "ehlo_name", ("all.example.com", "all.example.com")),
        ("addresses", "all", "one", "addresses", (Addresses.ALL, Addresses.ONE)),
        ("ip_protocol", "ip6", "any", "ip_protocol", (IpProtocol.IP6, IpProtocol.ANY)),
        ("clients", ["java-7u25", "ie-8-xp"], ["android-4.3"], "clients", (("java-7u25", "ie-8-xp"), ("android-4.3",))),
        ("clients", ["java-7u25"], [], "clients", (("java-7u25",), ())),
        ("ca_file", "/all.pem", "/one.pem", "ca_file", ("/all.pem", "/one.pem")),
        (
            *("tls_config", {"cert_file": "/all.pem", "key_file": "/all.key"}),
            *({"cert_file": "/one.pem", "key_file": "/one.key"}, "client_certificate"),
            (ClientCertificate("/all.pem", "/all.key"), ClientCertificate("/one.pem", "/one.key")),
        ),
    ],
)
def test_what_is_said_for_all_targets_holds_until_one_says_otherwise(
    option: str, usual: object, own: object, attribute: str, expected: tuple[object, object]
) -> None:
    made = (_made({}, {option: usual}), _made({option: own}, {option: usual}))
    assert tuple(getattr(target, attribute) for target in made) == expected


@pytest.mark.parametrize(
    ("own", "usual", "expected"),
    [
        ({}, {}, HttpOptions()),
        ({"path": "/a", "host": "b.example"}, {}, HttpOptions("/a", "b.example")),
        ({}, {"path": "/a", "host": "b.example"}, HttpOptions("/a", "b.example")),
        ({"host": "c.example"}, {"path": "/a", "host": "b.example"}, HttpOptions("/a", "c.example")),
    ],
)
def test_how_a_target_is_asked_over_http_is_said_key_by_key(
    own: dict[str, object], usual: dict[str, object], expected: HttpOptions
) -> None:
    made = _made({"http": own}, {"http": usual}).http
    assert (made.path, made.host) == (expected.path, expected.host)


@pytest.mark.parametrize(
    ("own", "usual", "expected"),
    [
        ({}, {}, f"tls-posture-exporter/{__version__}"),
        ({}, {"contact": "mailto:a@b.example"}, f"tls-posture-exporter/{__version__} (+mailto:a@b.example)"),
        ({}, {"contact": "x", "http": {"user_agent": "all"}}, "all"),
        ({"http": {"user_agent": "one"}}, {"contact": "x", "http": {"user_agent": "all"}}, "one"),
    ],
)
def test_the_user_agent_names_product_and_contact_unless_it_is_said_otherwise(
    own: dict[str, object], usual: dict[str, object], expected: str
) -> None:
    assert _made(own, usual).http.user_agent == expected


@pytest.mark.parametrize(
    ("own", "usual", "expected"),
    [
        ({}, None, 80),
        ({}, 8080, 8080),
        ({}, "off", None),
        ({"http": {"port": 8081}}, 8080, 8081),
        ({"http": {"port": 8081}}, "off", 8081),
        ({"http": {"port": "off"}}, 8080, None),
        ({"port": 8443}, None, None),
        ({"port": 8443}, 8080, None),
        ({"port": 8443, "http": {"port": 8080}}, None, 8080),
        ({"protocol": "imaps"}, 8080, None),
        ({"starttls": "imap"}, 8080, None),
    ],
)
def test_a_server_without_tls_is_looked_for_beside_port_443_unless_a_target_says_where(
    own: dict[str, object], usual: object, expected: int | None
) -> None:
    assert _made(own, {"http": {"port": usual}}).http.port == expected


@pytest.mark.parametrize(
    ("own", "usual", "expected"),
    [
        ({}, {}, 18 * HOUR),
        ({"scan_interval": "1h"}, {}, 3 * HOUR),
        ({}, {"scan_interval": "10m"}, 30 * MINUTE),
        ({"scan_interval": "1h"}, {"max_age": "5h"}, 5 * HOUR),
        ({"max_age": "1h"}, {"max_age": "5h"}, HOUR),
    ],
)
def test_facts_live_for_three_of_the_targets_own_intervals_by_default(
    own: dict[str, object], usual: dict[str, object], expected: timedelta
) -> None:
    assert _made(own, usual).max_age == expected


def test_the_default_scan_timeout_gives_way_to_a_shorter_interval() -> None:
    assert _made({}).scan_timeout == DEFAULT_SCAN_TIMEOUT
    assert _made({"scan_interval": "30s"}).scan_timeout == 30 * SECOND


@pytest.mark.parametrize(
    ("target", "server_name", "verified"),
    [
        ({}, "www.example.com", "www.example.com"),
        ({"server_name": "Other.Example.com."}, "other.example.com", "other.example.com"),
        ({"host": "192.0.2.1"}, None, "192.0.2.1"),
        ({"host": "2001:db8::1"}, None, "2001:db8::1"),
        ({"host": "192.0.2.1", "server_name": "www.example.com"}, "www.example.com", "www.example.com"),
        ({"connect_address": "192.0.2.1"}, "www.example.com", "www.example.com"),
    ],
)
def test_an_address_is_verified_but_never_sent_as_server_name(
    target: dict[str, object], server_name: str | None, verified: str
) -> None:
    made = _made(target)
    assert made.server_name == server_name
    assert made.verified_name == verified


@pytest.mark.parametrize(
    ("target", "name", "protocol", "starttls"),
    [
        ({}, "www.example.com:443", "https", None),
        ({"port": 8443}, "www.example.com:8443", "https", None),
        ({"port": 465}, "www.example.com:465", "smtps", None),
        ({"port": 993}, "www.example.com:993", "imaps", None),
        ({"port": 995}, "www.example.com:995", "pop3s", None),
        ({"port": 636}, "www.example.com:636", "ldaps", None),
        ({"port": 990}, "www.example.com:990", "ftps", None),
        ({"port": 563}, "www.example.com:563", "nntps", None),
        ({"port": 6697}, "www.example.com:6697", "ircs", None),
        ({"port": 993, "protocol": "https"}, "www.example.com:993", "https", None),
        ({"port": 993, "protocol": "tls"}, "www.example.com:993", "tls", None),
        ({"protocol": "imaps"}, "www.example.com:993", "imaps", None),
        ({"starttls": "imap"}, "www.example.com:143", "imap", "imap"),
        ({"starttls": "smtp", "port": 587}, "www.example.com:587", "smtp", "smtp"),
        ({"starttls": "imap", "port": 993}, "www.example.com:993", "imap", "imap"),
        ({"host": "2001:DB8::1"}, "[2001:db8::1]:443", "https", None),
        ({"name": "shop"}, "shop", "https", None),
    ],
)
def test_port_protocol_and_name_follow_from_each_other(
    target: dict[str, object], name: str, protocol: str, starttls: str | None
) -> None:
    made = _made(target)
    assert (made.name, made.protocol, made.starttls) == (name, protocol, starttls)


def test_a_mail_domain_is_said_and_never_guessed() -> None:
    assert _made({"starttls": "smtp"}).mail_domain is None
    assert _made({"starttls": "smtp", "mail_domain": "Example.COM."}).mail_domain == "example.com"


def test_targets_come_in_the_order_of_the_file_with_their_labels() -> None:
    config = Config.model_validate({"targets": ["b.example", {"host": "a.example", "labels": {"team": "web"}}]})
    made = static_targets(config)
    assert [(target.host, dict(target.labels)) for target in made] == [
        ("b.example", {}),
        ("a.example", {"team": "web"}),
    ]


MAIL = {"smtp", "lmtp", "imap", "pop3", "sieve", "smtps", "imaps", "pop3s"}
"""Whose servers count the connections of a client."""


@pytest.mark.parametrize("service", sorted({*PROTOCOLS, *STARTTLS}))
def test_mail_is_asked_one_connection_at_a_time_with_gaps_and_others_are_not(service: str) -> None:
    spoken: dict[str, object] = {"starttls": service} if service in STARTTLS else {"protocol": service, "port": 10000}
    made = _made(spoken)
    assert (made.connections_per_host, made.connection_gap_seconds) == ((1, 0.1) if service in MAIL else (4, 0.0))


@pytest.mark.parametrize(
    ("own", "usual", "expected"),
    [
        ({}, {"connections_per_host": 8, "connection_gap": "20ms"}, (1, 0.1)),
        ({}, {"connections_per_host": 1, "connection_gap": "2s"}, (1, 2.0)),
        ({"connections_per_host": 3}, {}, (3, 0.1)),
        ({"connection_gap": "5ms"}, {"connection_gap": "2s"}, (1, 0.005)),
        ({"connection_gap": "0s"}, {}, (1, 0.0)),
    ],
)
def test_only_a_mail_target_itself_can_ask_for_more_than_mail_servers_bear(
    own: dict[str, object], usual: dict[str, object], expected: tuple[int, float]
) -> None:
    made = _made({"starttls": "smtp", **own}, usual)
    assert (made.connections_per_host, made.connection_gap_seconds) == expected


def test_a_port_that_is_registered_for_mail_makes_it_mail() -> None:
    assert _made({"port": 993}).connections_per_host == 1
    assert _made({"port": 993, "protocol": "tls"}).connections_per_host == 4


def test_one_address_is_scanned_where_the_proxy_chooses_it() -> None:
    usual: dict[str, object] = {"addresses": "all", "proxy_url": "http://proxy.example:3128"}
    assert _made({}, usual).addresses is Addresses.ONE
    assert _made({"proxy_url": "direct"}, usual).addresses is Addresses.ALL
    assert _made({"connect_address": "192.0.2.1"}, usual).addresses is Addresses.ALL


STORES = {"trust_stores": {"internal": "/internal.pem"}}


@pytest.mark.parametrize(
    ("usual", "own", "expected"),
    [
        ({}, {}, None),
        ({}, {"trust_store": "system"}, None),
        ({}, {"trust_store": "internal"}, "/internal.pem"),
        ({"trust_store": "internal"}, {}, "/internal.pem"),
        ({"trust_store": "internal"}, {"trust_store": "system"}, None),
        ({"trust_store": "internal"}, {"ca_file": "/one.pem"}, "/one.pem"),
        ({"ca_file": "/all.pem"}, {"trust_store": "internal"}, "/internal.pem"),
        ({"ca_file": "/all.pem"}, {"trust_store": "system"}, None),
    ],
)
def test_the_nearest_word_on_whom_to_trust_counts(
    usual: dict[str, object], own: dict[str, object], expected: str | None
) -> None:
    assert _made(own, STORES | usual).ca_file == expected


CONFIGURED = static_targets(
    Config.model_validate(
        {
            "targets": [
                {"host": "mail.example.com", "port": 25, "starttls": "smtp"},
                {"host": "mail.example.com", "port": 1993, "protocol": "imaps", "name": "imap"},
                {"host": "Mail.example.com", "name": "web"},
                {"host": "b\u00fccher.example", "port": 8443},
                "[2001:DB8::1]:443",
                {"host": "other.example.com", "name": "mail.example"},
                {"host": "mail.example", "port": 465},
            ]
        }
    )
)
SMTP, IMAP, WEB, BOOKS, NUMBER, NAMED_AS_A_HOST, _ = CONFIGURED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail.example.com", [SMTP, IMAP, WEB]),
        ("MAIL.example.com.", [SMTP, IMAP, WEB]),
        ("mail.example.com:25", [SMTP]),
        ("mail.example.com:1993", [IMAP]),
        ("mail.example.com:443", [WEB]),
        ("smtp+starttls://mail.example.com", [SMTP]),
        ("smtp+starttls://mail.example.com:25", [SMTP]),
        ("imaps://mail.example.com", [IMAP]),
        ("https://mail.example.com/", [WEB]),
        ("imap", [IMAP]),
        ("web", [WEB]),
        ("b\u00fccher.example", [BOOKS]),
        ("xn--bcher-kva.example:8443", [BOOKS]),
        ("https://b\u00fccher.example:8443", [BOOKS]),
        ("2001:db8:0::1", [NUMBER]),
        ("[2001:db8::1]:443", [NUMBER]),
        ("https://[2001:db8::1]", [NUMBER]),
        ("mail.example", [NAMED_AS_A_HOST]),
        ("mail.example.com:587", []),
        ("imaps://mail.example.com:25", []),
        ("smtps://mail.example.com", []),
        ("example.com", []),
        ("Web", []),
    ],
)
def test_a_text_means_the_target_of_that_name_or_all_it_does_not_rule_out(text: str, expected: list[Target]) -> None:
    assert list(named(text, parse_service(text), CONFIGURED)) == expected


def test_a_name_that_is_no_address_is_a_name_all_the_same() -> None:
    (shop,) = static_targets(Config.model_validate({"targets": [{"host": "a.example", "name": "the shop"}]}))
    with pytest.raises(TargetError):
        parse_service(shop.name)
    assert named(shop.name, None, [shop]) == (shop,)
    assert named("the shop ", None, [shop]) == ()
