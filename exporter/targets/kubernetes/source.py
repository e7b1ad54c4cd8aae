"""One entry of `kubernetes_sd_configs`: its collections, and the targets of all of them together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from exporter.config.kubernetes import KubernetesRole, KubernetesSource
from exporter.targets.groups import DiscoveryError, Group
from exporter.targets.kubernetes.api import AnswerLimits, Api, Connect, Query
from exporter.targets.kubernetes.collection import LONGEST_PAUSE_SECONDS, Collection, KeptObjects, Pacing
from exporter.targets.kubernetes.httproute import HTTPROUTE
from exporter.targets.kubernetes.ingress import INGRESS
from exporter.targets.kubernetes.objects import Key
from exporter.targets.kubernetes.role import Kind, Role
from exporter.targets.kubernetes.service import SERVICE
from exporter.targets.sources import Sink
from exporter.text import escaped

log = logging.getLogger(__name__)

ROLES: Mapping[KubernetesRole, Role] = {
    KubernetesRole.INGRESS: INGRESS,
    KubernetesRole.HTTPROUTE: HTTPROUTE,
    KubernetesRole.SERVICE: SERVICE,
}
GATHER_SECONDS = 0.5
"""Changes within this time are passed on together. A roll-out changes many objects at once."""
MOST_SHOWN = 5
"""Names that a message shows."""


class KubernetesTargets:
    """The targets of one role, in the namespaces of the settings."""

    def __init__(
        self,
        settings: KubernetesSource,
        connect: Connect,
        own_namespace: Callable[[], Awaitable[str]],
        *,
        limits: AnswerLimits | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        """Create it; it connects to nothing.

        Args:
            settings: of this entry.
            connect: makes a client from files as they are now.
            own_namespace: reads the namespace of the pod. It raises `DiscoveryError`.
            limits: of answers.
            pacing: of requests, and of what is passed on.
        """
        self._settings, self._connect, self._own_namespace = settings, connect, own_namespace
        self._limits, self._pacing = limits or AnswerLimits(), pacing or Pacing()
        self._role = ROLES[settings.role]
        self._changed = asyncio.Event()
        self._noted: tuple[object, object] = (None, None)

    async def run(self, sink: Sink) -> None:
        """Find targets until it is cancelled."""
        collections = await self._collections(sink)
        async with asyncio.TaskGroup() as tasks:
            for collection in chain.from_iterable(collections):
                tasks.create_task(collection.run())
            tasks.create_task(self._pass_on(collections, sink))

    async def _collections(self, sink: Sink) -> list[list[Collection]]:
        """For each kind of the role, the collections of all namespaces."""
        wanted = self._settings.namespaces
        names: list[str | None] = list(dict.fromkeys(wanted.names))
        while wanted.own_namespace:
            try:
                own = await self._own_namespace()
            except DiscoveryError as error:
                sink.failed(error)
                await self._pacing.pause(LONGEST_PAUSE_SECONDS)
            else:
                names = list(dict.fromkeys([*names, own]))
                break
        return [[self._collection(kind, name) for name in names or [None]] for kind in self._role.kinds]

    def _collection(self, kind: Kind, namespace: str | None) -> Collection:
        label, field = self._settings.selector(kind.selector)
        parameters = {"labelSelector": label, "fieldSelector": field}
        query = Query(kind.resource, namespace, {name: text for name, text in parameters.items() if text})
        return Collection(
            Api(self._connect, query, self._limits),
            partial(KeptObjects, kind, self._settings.target_limit),
            self._changed.set,
            self._settings.refresh_interval.total_seconds(),
            self._pacing,
        )

    async def _pass_on(self, collections: Sequence[Sequence[Collection]], sink: Sink) -> None:
        """Give the sink all targets after each change, and what failed.

        Nothing is found before each collection had a list: an incomplete list would end the targets of the others,
        which are known from before a restart.
        """
        every = list(chain.from_iterable(collections))
        last: tuple[Group, ...] | None = None
        while True:
            await self._changed.wait()
            await self._pacing.pause(GATHER_SECONDS)
            self._changed.clear()
            errors = [str(collection.error) for collection in every if collection.error is not None]
            if all(collection.listed for collection in every):
                found = self._role.combine([_merged(of_kind) for of_kind in collections])
                self._note(found.wildcards, {key for collection in every for key in collection.kept.unreadable})
                if not errors or found.groups != last:
                    sink.found(found.groups)
                last = found.groups
            if errors:
                sink.failed(DiscoveryError(_listed(errors)))

    def _note(self, wildcards: frozenset[str], unreadable: set[Key]) -> None:
        """Log what cannot become a target, each time that it is not the same as before."""
        role = self._settings.role
        if wildcards and wildcards != self._noted[0]:
            hosts = _listed(sorted(wildcards), ", ")
            log.info("kubernetes_sd_configs, role %s: hosts with a wildcard cannot be scanned: %s", role, hosts)
        if unreadable and unreadable != self._noted[1]:
            names = _listed(sorted(f"{namespace}/{name}" for namespace, name in unreadable), ", ")
            log.warning("kubernetes_sd_configs, role %s: objects that cannot be read: %s", role, names)
        self._noted = (wildcards, unreadable)


def _merged(collections: Sequence[Collection]) -> Mapping[Key, Any]:
    return {key: value for collection in collections for key, value in collection.kept.objects.items()}


def _listed(texts: Sequence[str], between: str = "; ") -> str:
    more = f" and {len(texts) - MOST_SHOWN} more" if len(texts) > MOST_SHOWN else ""
    return escaped(between.join(texts[:MOST_SHOWN])) + more
