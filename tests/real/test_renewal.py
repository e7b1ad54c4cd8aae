"""A daemon through the end and the renewal of a certificate on a real nginx."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.real.test_daemon import daemon, get
from tests.support.certificates import Issued, dns, issue
from tests.support.processes import wait_for
from tests.support.servers import HOST, nginx

pytestmark = pytest.mark.real

DAY = timedelta(days=1)
TRUSTED = 'tls_posture_certificate_trusted{target="a"} '
FAILURE = 'tls_posture_certificate_verification_failure{target="a",reason="expired"} 1'


def leaf(root: Issued, begin: datetime, end: datetime) -> bytes:
    issued = issue(HOST, root, names=dns(HOST), valid=(begin, end))
    return issued.pem() + issued.key_pem()


def test_a_daemon_sees_the_end_of_a_certificate_and_its_renewal_at_once(tmp_path: Path) -> None:
    """The first scan fixes no time for the later ones. Nginx reads a file with a variable in its name each time."""
    began = datetime.now(UTC).replace(microsecond=0)
    root = issue("root", ca=True, valid=(began - DAY, began + DAY))
    (tmp_path / "bundle.pem").write_bytes(root.pem())
    served, end = tmp_path / f"{HOST}.pem", began + timedelta(seconds=9)
    served.write_bytes(leaf(root, began - DAY, end))
    config = (
        f"global: {{scan_interval: 3s, ca_file: {tmp_path}/bundle.pem, vulnerability_interval: never}}\n"
        f"targets:\n  - {{name: a, host: {HOST}, port: PORT, connect_address: 127.0.0.1}}\n"
    )
    with (
        nginx(tmp_path, "", [tmp_path / "$ssl_server_name.pem"]) as port,
        daemon(tmp_path, config.replace("PORT", str(port))) as (_, url),
    ):
        wait_for("trust", 8, lambda: f"{TRUSTED}1" in get(f"{url}/metrics"))
        wait_for("its end", 15, lambda: FAILURE in get(f"{url}/metrics"))
        assert datetime.now(UTC) > end
        # Its time begins after the daemon's first scan.
        served.write_bytes(leaf(root, datetime.now(UTC).replace(microsecond=0), began + DAY))
        wait_for("the renewed one", 20, lambda: f"{TRUSTED}1" in get(f"{url}/metrics"))
        assert FAILURE not in get(f"{url}/metrics")
        assert not re.search("not_yet_valid", get(f"{url}/metrics"))
