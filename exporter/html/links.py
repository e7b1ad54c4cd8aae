"""Links from a page to itself with other parameters in the query."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class QueryLinks:
    """The parameters of a page. Each link has all others, so filters add up.

    Attributes:
        items: as given, without those that are empty.
    """

    items: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """The values of a parameter."""
        return [value for one, value in self.items if one == name]

    def having(self, *items: tuple[str, str], without: Iterable[str] = ()) -> str:
        """The link with these parameters instead of those of the same names, and without some."""
        gone = {*(name for name, _ in items), *without}
        return _link((*(one for one in self.items if one[0] not in gone), *items))

    def less(self, item: tuple[str, str], without: Iterable[str] = ()) -> str:
        """The link without one value of a parameter, and without some parameters."""
        gone = {*without}
        return _link(one for one in self.items if one != item and one[0] not in gone)


def _link(items: Iterable[tuple[str, str]]) -> str:
    return "?" + urlencode(list(items), errors="replace")
