"""How the API server is reached, and which settings are mistakes."""

import asyncio
import base64
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.x509.oid import ExtendedKeyUsageOID
from pydantic import ValidationError

from exporter.config import values
from exporter.config.kubernetes import KubernetesSource
from exporter.targets.groups import DiscoveryError
from exporter.targets.kubernetes.access import connect
from tests.support.certificates import Issued, dns, issue, pem_file
from tests.support.kubernetes import answer, scripted, source_settings


def kubeconfig(folder: Path, cluster: dict[str, Any], user: dict[str, Any]) -> KubernetesSource:
    document = {
        "apiVersion": "v1",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return source_settings("ingress", kubeconfig_file=str(file))


def _text(issued: Issued, *, key: bool = False) -> str:
    return base64.b64encode(issued.key_pem() if key else issued.pem()).decode()


@pytest.mark.parametrize("inline", [False, True])
def test_a_kubeconfig_file_has_certificates_as_files_or_inline(tmp_path: Path, inline: bool) -> None:
    now = datetime.now(UTC)  # the library has no other clock
    valid = (now - timedelta(days=1), now + timedelta(days=1))
    server = issue("server", names=dns("localhost"), valid=valid)
    client = issue("client", valid=valid, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem_file(tmp_path / "server.pem", server, key=server))
    (tmp_path / "ca.pem").write_bytes(server.pem())
    (tmp_path / "client.pem").write_bytes(client.pem())
    (tmp_path / "client.key").write_bytes(client.key_pem())
    context.load_verify_locations(tmp_path / "client.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    async def main() -> None:
        async with scripted(context) as api:
            url = api.url.replace("127.0.0.1", "localhost")
            files = {"client-certificate": "client.pem", "client-key": "client.key"}
            data = {"client-certificate-data": _text(client), "client-key-data": _text(client, key=True)}
            authority = {"certificate-authority-data": _text(server)} if inline else {"certificate-authority": "ca.pem"}
            settings = kubeconfig(tmp_path, {"server": url, **authority}, data if inline else files)
            async with connect(settings) as client_:
                asked = asyncio.create_task(client_.get("/version"))
                request = await api.next()
                await request.reply(answer(200, {}))
                assert (await asked).status_code == 200
                assert request.headers["user-agent"].startswith("tls-posture-exporter/")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("cluster", "user", "message"),
    [
        ({}, {"exec": {"command": "aws"}}, "kubeconfig: exec of a user is not supported"),
        ({}, {"auth-provider": {"name": "gcp"}}, "kubeconfig: auth-provider of a user is not supported"),
        ({}, {"as": "root"}, "kubeconfig: as of a user is not supported"),
        ({"proxy-url": "http://p"}, {}, "kubeconfig: proxy-url of a cluster is not supported"),
        ({"tls-server-name": "x"}, {}, "kubeconfig: tls-server-name of a cluster is not supported"),
        ({}, {"tokenFile": "/nonexistent"}, "/nonexistent cannot be read: No such file or directory"),
        ({"certificate-authority": "/nonexistent"}, {}, "credentials cannot be read: No such file or directory"),
        ({"certificate-authority-data": "secret"}, {}, "kubeconfig: certificate-authority-data is not base64"),
        ({"certificate-authority-data": 7}, {}, "is not a kubeconfig file with a current context"),
        ({"certificate-authority-data": "AAAA"}, {}, "credentials cannot be"),
        ({}, {"client-certificate-data": "AAAA", "client-key-data": "AAAA"}, "credentials cannot be"),
        ({}, {"client-certificate": "c.pem"}, "credentials cannot be"),
        ({"server": 7}, {}, "is not a kubeconfig file with a current context"),
        ({}, {"token": ["secret"]}, "is not a kubeconfig file with a current context"),
        ({"server": "https://h:secret"}, {}, "credentials cannot be used"),
    ],
)
def test_what_a_kubeconfig_file_must_not_have(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], message: str
) -> None:
    with pytest.raises(DiscoveryError) as error:
        connect(kubeconfig(tmp_path, cluster, user))
    assert message in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "a: b", "- a", "a: [", "current-context: x", "current-context: x\ncontexts: 7\nclusters: 7", "\xff\0"]
)
def test_what_is_no_kubeconfig_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    with pytest.raises(DiscoveryError):
        connect(source_settings("ingress", kubeconfig_file=str(tmp_path / "kubeconfig")))


def test_outside_of_a_pod_a_setting_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DiscoveryError, match="set api_server or kubeconfig_file"):
        connect(source_settings("ingress"), tmp_path, {})


@pytest.mark.parametrize("token", ["secret\nX-Header: y", "secret\x00", "secret ü", "sec ret"])
def test_a_token_that_no_header_can_have_is_not_shown(tmp_path: Path, token: str) -> None:
    (tmp_path / "token").write_text(token)
    file = {"credentials_file": str(tmp_path / "token")}
    settings = source_settings("ingress", api_server="http://127.0.0.1:1", authorization=file)
    for chosen in (settings, kubeconfig(tmp_path, {}, {"token": token})):
        with pytest.raises(DiscoveryError) as error:
            connect(chosen)
        assert "sec" not in str(error.value)


def test_without_the_extra_the_daemon_loads() -> None:
    code = "import sys; sys.modules.update(dict.fromkeys(('lightkube', 'msgspec'))); import exporter.app"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_a_pod_with_an_empty_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    environment = {"KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(DiscoveryError, match="token is empty"):
        connect(source_settings("ingress"), tmp_path, environment)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"role": "pod"}, "'pod' is not one of ingress, httproute, service"),
        ({"role": "ingress", "api_server": "ftp://h"}, "is not the URL of an API server"),
        ({"role": "ingress", "api_server": "https://u:p@h"}, "is not the URL of an API server"),
        ({"role": "ingress", "api_server": "https://h:99999"}, "is not the URL of an API server"),
        ({"role": "ingress", "api_server": "https://h", "kubeconfig_file": "k"}, "exclude each other"),
        ({"role": "ingress", "authorization": {"credentials_file": "t"}}, "are for api_server"),
        ({"role": "ingress", "tls_config": {"ca_file": "t"}}, "are for api_server"),
        (
            {"role": "ingress", "api_server": "https://h", "tls_config": {"cert_file": "t"}},
            "cert_file and key_file need each other",
        ),
        ({"role": "ingress", "api_server": "https://h", "namespaces": {"own_namespace": True}}, "is for a pod"),
        ({"role": "ingress", "namespaces": {"names": ["../../secrets"]}}, "is not the name of a namespace"),
        ({"role": "ingress", "namespaces": {"names": ["Shop"]}}, "is not the name of a namespace"),
        ({"role": "ingress", "selectors": [{"role": "service", "label": "a"}]}, "role ingress reads ingress only"),
        ({"role": "ingress", "selectors": [{"role": "node", "label": "a"}]}, "'node' is not one of"),
        (
            {"role": "ingress", "selectors": [{"role": "ingress", "label": "a"}, {"role": "ingress"}]},
            "ingress has more than one entry",
        ),
        ({"role": "ingress", "attach_metadata": {}}, "Extra inputs"),
        ({"role": "ingress", "authorization": {"credentials": "secret"}}, "Extra inputs"),
    ],
)
def test_settings_that_are_mistakes(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match="(?s).*" + message):
        KubernetesSource.model_validate(keys)


def test_a_configuration_says_which_extra_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.config.kubernetes.find_spec", lambda _name: None)
    around = values.Surroundings(tmp_path, lambda _policy: None)
    with pytest.raises(ValidationError, match=r"pip install 'tls-posture-exporter\[kubernetes\]'"):
        KubernetesSource.model_validate({"role": "ingress"}, context=around)
