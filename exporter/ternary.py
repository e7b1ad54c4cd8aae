"""Logic with three values: True, False, and None for what is not known (Kleene's strong logic).

Unknown is absent: what is not known is never taken for True or False, unless what is known decides alone.
"""

from collections.abc import Iterable


def any_of(states: Iterable[bool | None]) -> bool | None:
    """True as soon as one is; None when none is True and one is not known; False for no states at all."""
    seen = set(states)
    return True if True in seen else None if None in seen else False


def all_of(states: Iterable[bool | None]) -> bool | None:
    """False as soon as one is; None when none is False and one is not known; True for no states at all."""
    seen = set(states)
    return False if False in seen else None if None in seen else True


def negated(state: bool | None) -> bool | None:
    """The contrary; None when the state is not known."""
    return None if state is None else not state
