"""TLS Posture Exporter: watches the transport security of TLS services and exposes it to Prometheus."""

__version__ = "1.0.0"
