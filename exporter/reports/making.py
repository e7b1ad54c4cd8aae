"""Makes documents for clients of the daemon, in a thread, and few at once."""

from functools import partial

from exporter.garbage import Rest, search_all
from exporter.querying import Queries, TargetFilter
from exporter.reports.base import Format, ReportSet
from exporter.reports.collect import collect, document
from exporter.threads import REPORTS

MOST_AT_ONCE = 2
"""A document of 1,000 targets takes some seconds of CPU time and 100 MB, and a slow client holds it for a minute."""


class TooManyDocumentsError(Exception):
    """Too many documents are made or sent at this moment."""


class DocumentMaker:
    """Makes documents; called on the event loop.

    Reports of 1,000 targets are 200,000 objects that are needed for some seconds. No search for garbage looks through
    them meanwhile. One follows at the end, because some are in cycles.
    """

    def __init__(self) -> None:
        self._in_use = self._making = 0

    async def make(self, made_by: Format, queries: Queries, wanted: TargetFilter) -> bytes:
        """The document of these targets. It has a place until `release` is called.

        Raises:
            TooManyDocumentsError: there is no place.
            TooManyTargetsError: see `collect`.
        """
        if self._in_use >= MOST_AT_ONCE:
            raise TooManyDocumentsError(f"{MOST_AT_ONCE} reports are made or sent at this moment; ask again soon")
        self._in_use += 1
        try:
            return await self._made(made_by, queries, wanted)
        except BaseException:
            self.release()
            raise

    async def _made(self, made_by: Format, queries: Queries, wanted: TargetFilter) -> bytes:
        self._making += 1
        try:
            found = await self._collected(queries, wanted)
            return await REPORTS.run(partial(document, made_by, found), object())
        finally:
            self._making -= 1
            if not self._making:
                search_all()

    async def _collected(self, queries: Queries, wanted: TargetFilter) -> ReportSet:
        with Rest():
            return await collect(queries, wanted)

    def release(self) -> None:
        """A document was sent, or could not be."""
        self._in_use -= 1
