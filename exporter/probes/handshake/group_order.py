"""Whose order of preference decides which group is taken, from the choices seen in answers."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from exporter.model import CipherOrder


class GroupChoice(NamedTuple):
    """The group chosen in one answer, with its suite and the groups that were offered (codes)."""

    suite: int
    offered: tuple[int, ...]
    chosen: int


def group_order(choices: Sequence[GroupChoice]) -> CipherOrder | None:
    """Whose order decides, from the groups offered and the one chosen in each answer; None when no answer shows it.

    The server's favourite is what it chose from the first offer. It shows the server's order when the server takes its
    favourite although the client prefers another group. It shows the client's order when the server takes another group
    which the client put first, and which was in the first offer, too: otherwise it may be preferred to that favourite.

    All answers together can only show the server's order: some servers choose the group by the suite (Schannel). Any
    other order is looked for suite by suite.
    """
    accepted = {choice.chosen for choice in choices}
    if _orders_shown(choices, accepted) == {CipherOrder.SERVER}:
        return CipherOrder.SERVER
    suites = {choice.suite for choice in choices}
    by_suite = (_orders_shown([c for c in choices if c.suite == suite], accepted) for suite in suites)
    orders = set[CipherOrder]().union(*by_suite)
    return (orders.pop() if len(orders) == 1 else CipherOrder.MIXED) if orders else None


def _orders_shown(choices: Sequence[GroupChoice], accepted: Collection[int]) -> set[CipherOrder]:
    orders = set()
    for _, offered, chosen in choices:
        _, first_offer, favourite = choices[0]
        common = [group for group in offered if group in accepted]
        if len(common) < 2 or favourite not in common or common[0] == favourite:
            continue
        if chosen == favourite:
            orders.add(CipherOrder.SERVER)
        elif chosen in first_offer:
            orders.add(CipherOrder.CLIENT if chosen == common[0] else CipherOrder.MIXED)
    return orders
