"""Processes for what must not run in this one: code that parses hostile bytes in C, hangs, or eats memory.

A worker has no network. The connections a job needs are opened by this process, through the same gate, proxy and
STARTTLS dialogue as all others, and their bytes are relayed; so limits and counts hold for them too, and a worker that
was taken over reaches nothing but the server it was sent to.
"""

from exporter.workers.pool import Limits, Workers

__all__ = ["Limits", "Workers"]
