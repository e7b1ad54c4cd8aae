"""A file on storage that hangs shows in the daemon's metrics, and does not delay its end."""

import signal
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.real.test_reload import HANGING
from tests.support.certificates import HOST, dns, issue, pem_file
from tests.support.processes import free_port, running, wait_for
from tests.support.servers import SEED_NGINX, make_pki, nginx

pytestmark = pytest.mark.real

SECONDS = 30
BUSY = 'tls_posture_exporter_pool_threads_busy{pool="files"} 1.0\n'


def test_a_daemon_with_a_hung_thread_ends_at_sigterm(tmp_path: Path) -> None:
    client, port, mnt = issue(HOST, names=dns(HOST)), free_port(), tmp_path / "mnt"
    mnt.mkdir()
    file = pem_file(mnt / "client.pem", client, key=client)
    config = tmp_path / "exporter.yaml"
    with nginx(tmp_path, SEED_NGINX, [make_pki(tmp_path).ecdsa]) as upstream:
        config.write_text(
            f"global: {{scan_interval: 10s, scan_timeout: 10s, vulnerability_interval: never}}\n"
            f"targets: [{{host: {HOST}, port: {upstream}, connect_address: 127.0.0.1,"
            f" tls_config: {{cert_file: {file}, key_file: {file}}}}}]\n"
        )
        command = [sys.executable, "-c", HANGING, str(mnt), "serve", f"--config.file={config}"]
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        with running(command, tmp_path / "exporter.log", port=port) as process:
            (mnt / "hangs").touch()

            def hangs() -> bool:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    return BUSY in answer.read().decode()

            wait_for("a thread that hangs", SECONDS, hangs)
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 0
