"""Records as labels of targets. What Prometheus makes of the same records is in tests/real/test_dns_sd.py."""

import dns.rdata
import pytest
from dns.rdata import Rdata
from dns.rdataclass import IN
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.sections import TargetSettings
from exporter.errors import TargetError
from exporter.model import is_ip
from exporter.services import normal_host, parse_service
from exporter.targets.dns_records import target_of

NAME = "asked.example"


def record(text: str) -> Rdata:
    kind, _, rest = text.partition(" ")
    return dns.rdata.from_text(IN, kind, rest)


def address(literal: str, port: int) -> dict[str, str]:
    return {
        "__address__": f"[{literal}]:{port}" if ":" in literal else f"{literal}:{port}",
        "__host__": NAME,
        "__connect_address__": literal,
        "__target__": f"{NAME}[{literal}]:{port}",
    }


def service(text: str, target: str, port: str) -> dict[str, str]:
    return {
        "__address__": text,
        "__meta_dns_srv_record_target": target,
        "__meta_dns_srv_record_port": port,
    }


def exchange(text: str, target: str) -> dict[str, str]:
    return {
        "__address__": text,
        "__mail_domain__": NAME,
        "__meta_dns_mx_record_target": target,
        "__starttls__": "smtp",
    }


TARGETS: list[tuple[str, int, dict[str, str]]] = [
    ("A 192.0.2.1", 443, address("192.0.2.1", 443)),
    ("AAAA 2001:DB8:0::1", 8443, address("2001:db8::1", 8443)),
    ("AAAA ::ffff:192.0.2.1", 443, address("192.0.2.1", 443)),
    ("AAAA fe80::1", 443, address("fe80::1", 443)),
    ("SRV 0 0 993 Mail.Example.", 443, service("Mail.Example:993", "Mail.Example.", "993")),
    ("SRV 0 0 1 under_score.example.", 443, service("under_score.example:1", "under_score.example.", "1")),
    ("SRV 0 0 1 xn--bcher-kva.example.", 443, service("xn--bcher-kva.example:1", "xn--bcher-kva.example.", "1")),
    (
        "NS ns1.example.",
        853,
        {"__address__": "ns1.example:853", "__meta_dns_ns_record_target": "ns1.example."},
    ),
    ("MX 10 mx.example.", 25, exchange("mx.example:25", "mx.example.")),
    ("MX 10 mx.example.", 2525, exchange("mx.example:2525", "mx.example.")),
]


@pytest.mark.parametrize(("text", "port", "labels"), TARGETS, ids=[one[0] for one in TARGETS])
def test_the_labels_of_a_record(text: str, port: int, labels: dict[str, str]) -> None:
    assert target_of(record(text), NAME, port) == labels


def test_a_port_with_tls_from_the_first_byte_has_no_dialogue() -> None:
    labels = target_of(record("MX 10 mx.example."), NAME, 465)
    assert labels is not None
    assert labels["__address__"] == "mx.example:465"
    assert "__starttls__" not in labels


@pytest.mark.parametrize("text", ["MX 0 .", "MX 10 .", "SRV 0 0 0 .", "SRV 0 0 443 ."])
def test_the_root_says_that_there_is_no_service(text: str) -> None:
    """RFC 7505 for mail, RFC 2782 for other services."""
    assert target_of(record(text), NAME, 25) is None


NO_HOSTS = [
    *("*.example.", r"a\000b.example.", r"a\010b.example.", r"b\195\188cher.example.", r"dot\.ted.example."),
    *("-a.example.", "a-.example.", r"a\032b.example.", r"\"quoted\".example.", r"back\\slash.example."),
    *("192.0.2.1.", r"192\.0\.2\.1.", r"[2001:db8::1].", "2001:db8::1.", "2130706433.", "127.1.", "127.0x1."),
    *("0x7f000001.", "0X7F.0.", "example.123.", r"host:443.", r"user@host.example.", r"host/path.", r"fe80::1%eth0."),
    *(r"\$\{jndi:x\}.example.", r"<b>.example.", r"\027[31mred.example.", r"\226\128\174.example."),
]


@pytest.mark.parametrize("name", NO_HOSTS)
@pytest.mark.parametrize("text", ["SRV 0 0 443 {}", "MX 10 {}", "NS {}"])
def test_what_is_not_a_host_name_is_not_a_target(text: str, name: str) -> None:
    with pytest.raises(TargetError) as caught:
        target_of(record(text.format(name)), NAME, 443)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text", ["A 0.0.0.0", "A 224.0.0.1", "AAAA ::", "AAAA ff02::1", "AAAA ::ffff:0.0.0.0", "SRV 0 0 0 mail.example."]
)
def test_what_no_machine_listens_on_is_not_a_target(text: str) -> None:
    with pytest.raises(TargetError):
        target_of(record(text), NAME, 443)


def test_the_longest_names() -> None:
    most = ".".join(["a" * 63] * 3 + ["b" * 61])  # 255 bytes in a message (RFC 1035, 2.3.4)
    labels = target_of(record(f"SRV 0 0 443 {most}."), NAME, 443)
    assert labels is not None
    assert parse_service(labels["__address__"]).host == most


def test_other_records_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError):
        target_of(record("TXT x"), NAME, 443)


LABELS = st.lists(st.binary(min_size=1, max_size=63), max_size=5)


@given(LABELS, st.integers(0, 65535))
def test_any_name_is_a_valid_target_or_is_refused(labels: list[bytes], port: int) -> None:
    wire = b"".join(bytes([len(label)]) + label for label in labels)[:250]
    for kind, head in ((RdataType.SRV, b"\0\0\0\0" + port.to_bytes(2)), (RdataType.MX, b"\0\0"), (RdataType.NS, b"")):
        data = head + wire + b"\0"
        try:
            found = dns.rdata.from_wire(IN, kind, data, 0, len(data))
        except dns.exception.DNSException:
            continue
        try:
            target = target_of(found, NAME, 443)
        except TargetError:
            continue
        if target is not None:
            settings = TargetSettings.from_text(target["__address__"])
            assert not is_ip(settings.host)
            assert settings.host == normal_host(settings.host)
