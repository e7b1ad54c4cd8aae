"""Processes for code that must not run in the main one: it parses hostile bytes in C, may hang, or uses much memory.

A worker has no network. The main process opens the connections that a job needs, through the same gate, proxy and
STARTTLS dialogue as all others, and relays their bytes. So limits and counts apply to them too. Messages from a worker
are checked for their form only. A worker gives up all rights that it does not need before its first job, see
`lockdown`.
"""

from exporter.workers.pool import NoWorkerError, Turn, WorkerLimits, Workers
from exporter.workers.protection import ProtectionLog

__all__ = ["NoWorkerError", "ProtectionLog", "Turn", "WorkerLimits", "Workers"]
