"""When Python searches for garbage in cycles: not while many objects are made, and not through what stays anyway.

A search through the targets, settings and facts of ten thousand targets holds the event loop for some tenths of a
second. While they are made, Python would make such a search again and again, which takes half of the time of reading a
configuration. Objects outside of cycles are freed without a search. What is in use when many have been made is left out
of all further searches.
"""

import gc
from threading import Lock
from types import TracebackType
from typing import Self


class Rest:
    """A time without searches, for any thread. Several may overlap; the end of the last one is the end.

    Use it as a context manager, or call `begin` and `end`. A second `end` does nothing.
    """

    _lock = Lock()
    _resting = 0

    def __init__(self) -> None:
        self._begun = False

    def begin(self) -> Self:
        """Search no more."""
        with Rest._lock:
            if not self._begun:
                self._begun = True
                Rest._resting += 1
                gc.disable()
        return self

    def end(self) -> None:
        """Search again, but not through what there is now."""
        with Rest._lock:
            if self._begun:
                self._begun = False
                Rest._resting -= 1
                gc.freeze()
                if not Rest._resting:
                    gc.enable()

    def __enter__(self) -> Self:
        return self.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def search_all() -> None:
    """Search through everything once, also what was left out: after work whose objects were in cycles."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
