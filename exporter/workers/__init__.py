"""Processes for code that must not run in the main one: it parses hostile bytes in C, may hang, or uses much memory.

A worker has no network. The main process opens the connections that a job needs, through the same gate, proxy and
STARTTLS dialogue as all others, and relays their bytes. So limits and counts apply to them too. Messages from a worker
are checked for their form only. This is not a sandbox: a worker that was taken over still has the rights of its user.
"""

from exporter.workers.pool import NoWorkerError, Turn, WorkerLimits, Workers

__all__ = ["NoWorkerError", "Turn", "WorkerLimits", "Workers"]
