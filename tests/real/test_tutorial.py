"""docs/tutorial.md and docs/quick-start.md, done word for word, with ports and a home folder of the test."""

from pathlib import Path

import pytest

from tests.support.handbook import follow, typed
from tests.support.processes import free_port
from tests.support.servers import make_pki, nginx

pytestmark = [pytest.mark.real, pytest.mark.timeout(660)]

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
SCAN = "tls-posture-exporter scan"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with the source of the exporter."""
    folder = tmp_path / "home"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "tls-posture-exporter").symlink_to(ROOT)
    return folder


def ports(*on_the_page: str) -> dict[str, str]:
    return {f":{port}": f":{free_port()}" for port in on_the_page}


def test_the_tutorial_leads_from_nothing_to_a_resolved_alert(home: Path) -> None:
    instead = ports("8443", "19443", "9090", "9093")
    instead["port: 8443"] = f"port: {instead[':8443'].removeprefix(':')}"
    script = typed(DOCS / "tutorial.md", home.parent, instead=instead, fails=SCAN)

    said = follow(script, home, ends="kill $(cat tls-tutorial/nginx.pid) 2>/dev/null")

    assert "accepts TLSv1.1" in said
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in said, "the fix of the page is what the scan says"
    assert not (home / "tls-tutorial").exists()


def test_the_quick_start_leads_to_metrics_of_a_server(home: Path) -> None:
    """With a server of the test in place of the reader's own."""
    with nginx(home.parent, "", [make_pki(home.parent).ecdsa]) as port:
        instead = {"www.example.com:443": f"localhost:{port}", "www.example.com": f"localhost:{port}", **ports("19443")}
        script = typed(DOCS / "quick-start.md", home.parent, instead=instead, fails=SCAN)
        script = script.replace(" serve ", f" serve --web.listen-address=127.0.0.1{instead[':19443']} ")

        said = follow(script, home)

    assert f"localhost:{port}  DOES NOT COMPLY" in said
    assert "config.yaml: valid, 1 target" in said
