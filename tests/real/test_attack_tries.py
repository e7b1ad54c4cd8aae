"""What single tries come to on servers that make them hard: slow, old, strict, or with messages in many records."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from exporter.facts.certificate import CertificateFacts
from exporter.facts.handshake import HandshakeFacts, ServedChain
from exporter.facts.vulnerabilities import Tried
from exporter.model import ClientAuthentication, ClientCertificate, Facts, Protocol
from exporter.probes.vulnerabilities import PROBE
from exporter.tls.suites import BY_OPENSSL_NAME
from tests.real.test_attacks import DAY
from tests.support.attacked import Scans
from tests.support.certificates import issue
from tests.support.facts import handshake
from tests.support.servers import HOST, Pki, make_pki
from tests.support.stacks import gnutls, stunnel
from tests.support.targets import NOW, make_session, make_target
from tests.support.vulnerable import FFDHE_2048, ONLY_1_2, RSA_EXCHANGE, old_openssl

pytestmark = pytest.mark.real

TLS1_2 = Protocol.TLS1_2
READ_SECONDS = 1.5


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def accepts(pem: Path, suites: str, *, heartbeat: bool = False) -> HandshakeFacts:
    """A server with TLS 1.2, this certificate and these suites of OpenSSL."""
    names = tuple(BY_OPENSSL_NAME[name].name for name in suites.split(":"))
    leaf = x509.load_pem_x509_certificates(pem.read_bytes())[0].public_bytes(Encoding.DER)
    return handshake(
        {TLS1_2: names}, heartbeat={TLS1_2: heartbeat}, plain_chains=(ServedChain("RSA", (TLS1_2,), (leaf,)),)
    )


class Trials:
    """Tries attacks on servers, by workers that all tests share."""

    def __init__(self, scans: Scans) -> None:
        self._scans = scans

    def on(
        self,
        port: int,
        facts: HandshakeFacts,
        clients: ClientAuthentication | None = None,
        own: ClientCertificate | None = None,
    ) -> dict[str, Tried]:
        """Attack -> what it came to on this port."""

        async def run() -> dict[str, Tried]:
            target = make_target(
                port,
                host=HOST,
                server_name=HOST,
                vulnerability_interval=DAY,
                timeout_seconds=READ_SECONDS,
                client_certificate=own,
            )
            certificates = CertificateFacts((), client_authentication=clients)
            known = Facts().with_part(facts, NOW).with_part(certificates, NOW)
            session = make_session(target, known=known, environment=self._scans.environment())
            return dict((await PROBE.run(session)).attacks_tried)

        return self._scans.run(run())

    def on_old(self, folder: Path, pem: Path, suites: str, **settings: Any) -> dict[str, Tried]:  # noqa: ANN401 - JSON
        """Likewise on a server with OpenSSL 1.0.2 and these settings."""
        clients, own = settings.pop("clients", None), settings.pop("own", None)
        heartbeat = settings.get("fault") == "heartbleed"
        with old_openssl(folder, pem, versions=ONLY_1_2, suites=suites, **settings) as port:
            return self.on(port, accepts(pem, suites, heartbeat=heartbeat), clients, own)


@pytest.fixture(scope="module")
def trials(scans: Scans) -> Trials:
    return Trials(scans)


# --- Heartbleed -------------------------------------------------------------------------------------------------------


def test_a_server_that_bleeds_too_late_is_not_called_safe(trials: Trials, pki: Pki, tmp_path: Path) -> None:
    """Until the read limit it is as silent as one that discards the message."""
    told = trials.on_old(tmp_path, pki.rsa, "ECDHE-RSA-AES128-SHA", fault="heartbleed", late_seconds=2 * READ_SECONDS)
    assert told["heartbleed"].vulnerable is None


def test_a_server_that_drops_every_heartbeat_in_a_handshake_is_safe(trials: Trials, pki: Pki, tmp_path: Path) -> None:
    """As RFC 6520, 3 says that it should."""
    with gnutls(tmp_path, pki.rsa, "NORMAL:-VERS-TLS1.3", "heartbeat") as port:
        facts = accepts(pki.rsa, "ECDHE-RSA-AES128-GCM-SHA256", heartbeat=True)
        assert trials.on(port, facts)["heartbleed"].vulnerable is False


OLD_SUITES = ("RC4-MD5", "EXP-RC4-MD5", "EXP-DES-CBC-SHA", "DES-CBC-SHA", "IDEA-CBC-SHA", "ADH-AES128-SHA", "NULL-SHA")


@pytest.mark.parametrize("fault", ["heartbleed", "ccs_injection"])
def test_a_server_with_old_suites_alone_is_tried_by_the_old_openssl(
    fault: str, trials: Trials, pki: Pki, tmp_path: Path
) -> None:
    settings = {"versions": ONLY_1_2, "fault": fault, "export_key": True, "prime": FFDHE_2048}
    with old_openssl(tmp_path, pki.rsa, **settings) as port:
        for suite in OLD_SUITES:
            told = trials.on(port, accepts(pki.rsa, suite, heartbeat=fault == "heartbleed"))
            assert (suite, told[fault].vulnerable) == (suite, True)


# --- messages in many records -----------------------------------------------------------------------------------------


def long_chain(pki: Pki, folder: Path) -> Path:
    """The certificate with its key, and more certificates behind it than one record holds."""
    pem, others = pki.rsa.read_text(), pki.bundle.read_text()
    whole = folder / "long.pem"
    whole.write_text(pem + others * (1 + 24_000 // len(others)))
    return whole


@pytest.mark.parametrize("cut", ["records of 512 bytes", "a chain of more than 16 KiB"])
@pytest.mark.parametrize("fault", ["heartbleed", "ccs_injection", "robot"])
def test_an_attack_is_told_however_the_flight_is_cut(
    fault: str, cut: str, trials: Trials, pki: Pki, tmp_path: Path
) -> None:
    by_records = cut.startswith("records")
    pem = pki.rsa if by_records else long_chain(pki, tmp_path)
    settings: dict[str, Any] = {"fragment": 512} if by_records else {}
    kind = "robot-strong" if fault == "robot" else fault
    told = trials.on_old(tmp_path, pem, RSA_EXCHANGE, fault=kind, **settings)
    assert told[fault].vulnerable is True


# --- ROBOT ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["robot-short", "robot-short-unexpected", "robot-short-close"])
def test_an_oracle_that_shows_only_without_the_rest_of_a_handshake_is_found(
    fault: str, trials: Trials, pki: Pki, tmp_path: Path
) -> None:
    told = trials.on_old(tmp_path, pki.rsa, RSA_EXCHANGE, fault=fault)["robot"]
    assert (told.vulnerable, told.detail) == (True, "strong oracle")


REQUESTED, REQUIRED = ClientAuthentication.REQUESTED, ClientAuthentication.REQUIRED
CERTIFICATES: dict[str, tuple[dict[str, Any], bool | None, str]] = {
    "wanted, an oracle": ({"asks_for_certificate": True, "fault": "robot-strong"}, True, "strong oracle"),
    "wanted, no oracle": ({"asks_for_certificate": True, "clients": REQUESTED}, False, ""),
    "perhaps demanded": (
        {"asks_for_certificate": True},
        None,
        "the server wants a client certificate, and it is not known whether it goes on without one",
    ),
    "demanded": (
        {"demands_certificate": True, "fault": "robot-strong", "clients": REQUIRED},
        None,
        "the server demands a client certificate, and none is configured",
    ),
}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_who_asks_for_a_certificate_is_told_that_there_is_none(
    case: str, trials: Trials, pki: Pki, tmp_path: Path
) -> None:
    settings, vulnerable, detail = CERTIFICATES[case]
    told = trials.on_old(tmp_path, pki.rsa, RSA_EXCHANGE, **settings)["robot"]
    assert (told.vulnerable, told.detail) == (vulnerable, detail)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("robot-strong", (True, "strong oracle")),
        ("", (None, "the server wants a client certificate, and the test cannot send a CertificateVerify")),
    ],
)
def test_who_demands_a_certificate_is_shown_the_one_that_is_configured(
    fault: str, told: tuple[bool | None, str], trials: Trials, pki: Pki, tmp_path: Path
) -> None:
    client = tmp_path / "client.pem"
    now = datetime.now(UTC)
    client.write_bytes(issue("client", valid=(now - DAY, now + DAY), usage=ExtendedKeyUsageOID.CLIENT_AUTH).pem())
    settings: dict[str, Any] = {"demands_certificate": True, "client_ca": str(client), "fault": fault}
    own = ClientCertificate(str(client), str(client))
    answer = trials.on_old(tmp_path, pki.rsa, RSA_EXCHANGE, clients=REQUIRED, own=own, **settings)["robot"]
    assert (answer.vulnerable, answer.detail) == told


# --- renegotiation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "told"), [(5, (False, "granted 5 in a row")), (10, (True, "granted 10 in a row"))])
def test_a_limit_of_renegotiations_protects(
    most: int, told: tuple[bool, str], trials: Trials, pki: Pki, tmp_path: Path
) -> None:
    answer = trials.on_old(tmp_path, pki.rsa, "ECDHE-RSA-AES128-SHA", renegotiations=most)["client_renegotiation"]
    assert (answer.vulnerable, answer.detail) == told


@pytest.mark.parametrize(("line", "told"), [("config = Options:ClientRenegotiation", True), ("", False)])
def test_a_server_with_x25519_alone_is_asked_by_the_newer_openssl(
    line: str, told: bool, trials: Trials, pki: Pki, tmp_path: Path
) -> None:
    lines = f"sslVersionMax = TLSv1.2\ncurves = X25519\nciphers = ECDHE-RSA-AES128-GCM-SHA256\n{line}"
    with stunnel(tmp_path, pki.rsa, lines) as port:
        answer = trials.on(port, accepts(pki.rsa, "ECDHE-RSA-AES128-GCM-SHA256"))["client_renegotiation"]
    assert answer.vulnerable is told
