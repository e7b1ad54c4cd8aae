"""Targets from Kubernetes: `kubernetes_sd_configs`. It needs the extra `kubernetes`.

The client library reads kubeconfig files and makes the HTTP client. Lists and watches are ours, because those of the
library have no limits of size, and do not end when the server is silent.
"""

from functools import partial

from exporter import threads
from exporter.config import Config
from exporter.config.kubernetes import KubernetesSource
from exporter.targets.sources import TargetSource


def make_source(settings: KubernetesSource, _config: Config) -> TargetSource:
    """The source of one entry. The library is imported here, so that only those who use it need it."""
    from exporter.targets.kubernetes.access import connect, own_namespace  # noqa: PLC0415
    from exporter.targets.kubernetes.source import KubernetesTargets  # noqa: PLC0415

    owner = object()  # one thread for all of its collections, in case that storage does not answer
    return KubernetesTargets(
        settings,
        lambda: threads.FILES.run(partial(connect, settings), owner),
        lambda: threads.FILES.run(own_namespace, owner),
    )
