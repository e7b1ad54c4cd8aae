"""Whose order of groups decides, from lists of choices."""

import pytest

from exporter.model import CipherOrder
from exporter.probes.handshake.group_order import GroupChoice, group_order

A, B, C = 1, 2, 3
ORDERS = [
    ([((A, B), A), ((B, A), A), ((B,), B)], CipherOrder.SERVER),
    ([((A, B), A), ((B, A), B)], CipherOrder.CLIENT),
    ([((A, B), B), ((A,), A)], CipherOrder.SERVER),
    ([((A, B), A), ((B,), B)], None),
    ([((A, B, C), A), ((B, C, A), A), ((C, B, A), C)], CipherOrder.MIXED),
    ([((A, B, C), A), ((C, B, A), B), ((C,), C)], CipherOrder.MIXED),
    ([((B,), B), ((A, B), A)], None),
    ([((A,), A)], None),
    ([], None),
]


@pytest.mark.parametrize(("choices", "order"), ORDERS)
def test_choices_of_groups_tell_an_order(choices: list[tuple[tuple[int, ...], int]], order: CipherOrder | None) -> None:
    assert group_order([GroupChoice(0xC030, offered, chosen) for offered, chosen in choices]) is order


def test_a_group_that_goes_with_the_suite_tells_no_order() -> None:
    """Schannel once bound them together: its own order looks like the client's."""
    one, other = GroupChoice(0xC030, (A, B), A), GroupChoice(0xC02F, (B, A), B)
    assert group_order([one, other]) is None
    assert group_order([one, other, GroupChoice(0xC030, (B, A), A)]) is CipherOrder.SERVER
