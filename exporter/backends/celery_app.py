"""How Celery is set up, by the exporter and by workers: the broker with TLS, the queues, and what is turned off.

Messages are JSON. Celery itself neither signs nor trusts: everything of ours in a message is signed
(`exporter.backends.messages`). Commands of Celery to workers over the broker are turned off, because nobody signs them.
"""

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from exporter.errors import ExporterError
from exporter.files import read_file

if TYPE_CHECKING:
    from exporter.config.celery import CelerySettings

TASK = "tls_posture.scan"
"""Name of the one task."""
CONNECT_SECONDS = 5
HEARTBEAT_SECONDS = 20
"""Of AMQP. Without an answer for twice as long, the connection is lost."""
RESULTS_KEPT_SECONDS = 3600
"""How long a queue of results exists that no exporter reads any more."""
LONGEST_TASK_SECONDS = 3600
"""Celery kills a worker's process that is busy with one batch for so long, if the batch names no shorter time."""
MISSING = "Celery is not installed; `pip install 'tls-posture-exporter[celery]'` installs it"


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, with its secrets.

    Attributes:
        url: with user and password; never shown.
        shown: without them.
    """

    url: str
    shown: str
    ssl: dict[str, Any] | None

    def __repr__(self) -> str:
        return f"Broker({self.shown})"


def broker_of(settings: "CelerySettings") -> Broker:
    """The broker of these settings; reads the file of the password.

    Raises:
        ExporterError: the file cannot be read.
    """
    url = urlsplit(settings.broker_url)
    user = ""
    if settings.password_file is not None:
        try:
            password = read_file(settings.password_file).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ExporterError(f"{settings.password_file} cannot be used: {type(error).__name__}") from None
        user = f"{quote(settings.username or '', safe='')}:{quote(password, safe='')}@"
    full = urlunsplit((url.scheme, user + url.netloc, url.path, "", ""))
    return Broker(full, settings.broker_url, _ssl_of(settings, url.scheme, url.hostname or ""))


def _ssl_of(settings: "CelerySettings", scheme: str, host: str) -> dict[str, Any] | None:
    """The arguments of py-amqp or of redis for TLS; both check the certificate and its name."""
    files = settings.tls_config
    if scheme == "amqps":
        return {
            "ca_certs": files.ca_file,
            "certfile": files.cert_file,
            "keyfile": files.key_file,
            "cert_reqs": ssl.CERT_REQUIRED,
            "server_hostname": host,
        }
    if scheme == "rediss":
        return {
            "ssl_ca_certs": files.ca_file,
            "ssl_certfile": files.cert_file,
            "ssl_keyfile": files.key_file,
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
            "ssl_check_hostname": True,
        }
    return None


def make_app(broker: Broker) -> Any:  # noqa: ANN401 - Celery has no types
    """The application of Celery.

    Raises:
        ExporterError: Celery is not installed.
    """
    try:
        from celery import Celery  # noqa: PLC0415 - an extra
    except ImportError:
        raise ExporterError(MISSING) from None
    app = Celery("tls_posture", set_as_current=False)
    app.conf.update(
        broker_url=broker.url,
        broker_use_ssl=broker.ssl,
        broker_heartbeat=HEARTBEAT_SECONDS,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_transport_options(broker.url),
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=False,
        task_send_sent_event=False,
        task_time_limit=LONGEST_TASK_SECONDS,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_detect_quorum_queues=False,
        worker_max_tasks_per_child=1000,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return app


def _transport_options(url: str) -> dict[str, Any]:
    if url.startswith("redis"):
        return {
            "socket_timeout": 2 * CONNECT_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": HEARTBEAT_SECONDS,
            "visibility_timeout": LONGEST_TASK_SECONDS,
        }
    return {"confirm_publish": True, "max_retries": 1}


def tasks_queue(zone: str) -> Any:  # noqa: ANN401 - kombu has no types
    """The queue of tasks for a zone."""
    from kombu import Exchange, Queue  # noqa: PLC0415 - an extra

    exchange = Exchange("tls-posture.tasks", type="direct", durable=True)
    return Queue(f"tls-posture.tasks.{zone}", exchange, routing_key=zone, durable=True)


def to_zone(zone: str) -> dict[str, Any]:
    """Where tasks for a zone are sent. The exchange is ours, so that accounts need no right to write to any queue."""
    queue = tasks_queue(zone)
    return {"queue": queue, "exchange": queue.exchange, "routing_key": queue.routing_key}


def results_exchange() -> Any:  # noqa: ANN401 - as above
    """Where workers send replies; the routing key is the exporter's id."""
    from kombu import Exchange  # noqa: PLC0415 - an extra

    return Exchange("tls-posture.results", type="direct", durable=True)


def results_queue(reply_to: str) -> Any:  # noqa: ANN401 - as above
    """The queue of replies for one exporter."""
    from kombu import Queue  # noqa: PLC0415 - an extra

    return Queue(
        f"tls-posture.results.{reply_to}",
        results_exchange(),
        routing_key=reply_to,
        durable=True,
        expires=RESULTS_KEPT_SECONDS,
    )
