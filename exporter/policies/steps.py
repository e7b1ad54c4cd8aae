"""The five steps of the checklist that the policy `kopano-checklist` is taken from."""

import re
from collections.abc import Mapping
from functools import lru_cache

from exporter.policies import load_policy

CHECKLIST = "kopano-checklist"
STEPS: Mapping[int, str] = {
    1: "maintained software",
    2: "TLS without insecure protocols, suites and attacks",
    3: "HSTS",
    4: "CAA",
    5: "grade A+ and a valid certificate",
}
"""Number -> what the step is about, for people."""
_STEP = re.compile(r"step ([1-5]):")


@lru_cache(maxsize=1)
def steps() -> Mapping[int, frozenset[str]]:
    """Number of a step -> the checks of it. Each rule of the policy names its step first in its source."""
    found: dict[int, set[str]] = {number: set() for number in STEPS}
    for check, demands in load_policy(CHECKLIST).demands.items():
        for demand in demands:
            step = _STEP.match(demand.source)
            if step:
                found[int(step[1])].add(check)
    return {number: frozenset(checks) for number, checks in found.items()}
