"""Processes for what must not run in this one: code that parses hostile bytes in C, hangs, or eats memory.

A worker is given no network. The connections a job needs are opened by this process, through the same gate, proxy and
STARTTLS dialogue as all others, and their bytes are relayed; so limits and counts hold for them too. What a worker says
is believed in its form alone. That is no sandbox: a worker that was taken over still has its user's rights.
"""

from exporter.workers.pool import Limits, Workers

__all__ = ["Limits", "Workers"]
