"""PromQL that the dashboards share.

A name of a target is unique within one exporter only. So the key of a verdict is job, instance, target, and address
where each address is scanned. Unknown is an absent sample: no query may turn that into a value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

KEY = "job, instance, target, address"
CHECK_KEY = f"{KEY}, policy, check"

MOST_POLICIES = 5
"""Highest number of policies of a target for which the queries can say that it meets all. With more policies the
verdict is unknown, unless one fails."""


CRITICAL = 'severity="critical"'


class State(IntEnum):
    """The states of a check; the numbers sort the worst first."""

    FAILS = 0
    UNKNOWN = 1
    ACCEPTED = 2
    PASSES = 3


BY_NAME = 'host!~"[0-9.]+|.*:.*"'
"""Targets with a DNS name. Addresses have no CAA (RFC 8659), and browsers keep no HSTS policy for them (RFC 6797,
8.1.1)."""


def without(left: str, right: str) -> str:
    """The targets on the left that have no sample on the right."""
    return f"{left} unless on ({KEY}) {right}"


def count(condition: str, among: str) -> str:
    """How many meet the condition; 0 only while `among` has samples, so that missing data is never shown as zero."""
    return f"count({condition}) or 0 * count({among})"


def with_exporter(rows: str, targets: str) -> str:
    """The rows, with the label `exporter` if several exporters have targets, so that a table has the column only then.

    Target names are unique within one exporter only. Each row must have one sample.
    """
    each = f"group by (job, instance) ({targets})"
    named = f'label_join({each} and on () (count({each}) > 1), "exporter", "", "instance")'
    return f"({rows}) * on (job, instance) group_left (exporter) ({named} or on (job, instance) {each})"


def onto(rows: str, values: str, key: str = KEY) -> str:
    """The value of each target, repeated for each of its rows; each row must have one sample."""
    return f"0 * {rows} + on ({key}) group_left () {values}"


def known_or(values: str, code: int, among: str) -> str:
    """The values, and `code` for the targets without one: a tile must not disappear when its value is unknown."""
    return f"({values}) or on ({KEY}) {code} * max by ({KEY}) ({among})"


@dataclass(frozen=True)
class Selection:
    """The samples chosen by the variables above the panels.

    Attributes:
        matchers: label matchers with the variables of the dashboard.
        a_day_ago: take the samples of exactly a day ago. A range around that time could contain series that exist one
            after the other, such as those of two grades.
    """

    matchers: str
    a_day_ago: bool = False

    def series(self, metric: str, *matchers: str) -> str:
        """The samples of the metric."""
        selector = f"{metric}{{{', '.join([self.matchers, *matchers])}}}"
        return f"{selector} offset 1d" if self.a_day_ago else selector

    def then(self) -> "Selection":
        """The same a day ago."""
        return replace(self, a_day_ago=True)

    def only(self, *matchers: str) -> "Selection":
        """The samples among these that also match."""
        return replace(self, matchers=", ".join([self.matchers, *matchers]))

    def per_target(self, metric: str, function: str = "min", key: str = KEY) -> str:
        """One value for each target, without the operator's own labels."""
        return f"{function} by ({key}) ({self.series(metric)})"

    @property
    def targets(self) -> str:
        """1 for each target."""
        return self.series("tls_posture_target_info")

    def of_named(self, metric: str) -> str:
        """The samples of targets with a DNS name."""
        return f"({self.series(metric)} and on ({KEY}) {self.named_targets})"

    def of_web(self, metric: str) -> str:
        """The samples of targets with a DNS name that speak HTTPS."""
        return f"({self.series(metric)} and on ({KEY}) {self.web_targets})"

    @property
    def named_targets(self) -> str:
        """1 for each target with a DNS name."""
        return self.series("tls_posture_target_info", BY_NAME)

    @property
    def web_targets(self) -> str:
        """1 for each target with a DNS name that speaks HTTPS."""
        return self.series("tls_posture_target_info", 'protocol="https"', BY_NAME)

    @property
    def checks(self) -> str:
        """1 for a check that passes, 0 for one that fails."""
        return self.series("tls_posture_check_passed")

    @property
    def unknown_checks(self) -> str:
        """1 for a check whose result is unknown. A check that does not apply has no sample here or in `checks`."""
        return self.series("tls_posture_check_unknown")

    @property
    def accepted(self) -> str:
        """1 for a failed check that the configuration accepts until a date."""
        return self.series("tls_posture_check_accepted")

    @property
    def failed(self) -> str:
        """0 for each failed check that is not accepted."""
        return f"({self.checks} == 0 unless on ({CHECK_KEY}) {self.accepted})"

    @property
    def failing(self) -> str:
        """How many checks fail and are not accepted. A check that several policies require counts once.

        Absent for a target without the result of any check.
        """
        known = f"0 * group by ({KEY}) ({self.checks})"
        return f"(count by ({KEY}) (group by ({KEY}, check) ({self.failed})) or {known})"

    @property
    def failing_accepted(self) -> str:
        """How many failed checks are accepted; absent for a target that has not been scanned."""
        return f"(count by ({KEY}) (group by ({KEY}, check) ({self.accepted})) or {self._none_if_scanned})"

    @property
    def unknown(self) -> str:
        """How many checks are unknown; absent for a target that has not been scanned."""
        return f"(count by ({KEY}) (group by ({KEY}, check) ({self.unknown_checks})) or {self._none_if_scanned})"

    @property
    def _none_if_scanned(self) -> str:
        """0 for each target that has been scanned, and so judged."""
        return f"0 * {self.per_target('tls_posture_last_scan_timestamp_seconds', 'max')}"

    @property
    def findings(self) -> str:
        """The `State` of each check that does not pass."""
        key = f"{CHECK_KEY}, severity"
        unknown, accepted = (f"max by ({key}) ({series})" for series in (self.unknown_checks, self.accepted))
        return f"({State.ACCEPTED} * {accepted} or min by ({key}) ({self.checks} == {State.FAILS}) or {unknown})"

    @property
    def states(self) -> str:
        """The `State` of each check."""
        passes = f"{State.PASSES} * min by ({CHECK_KEY}, severity) ({self.checks} == 1)"
        return f"({self.findings} or {passes})"

    @property
    def fails(self) -> str:
        """1 for each target that fails one of its policies."""
        return f"group by ({KEY}) ({self.series('tls_posture_compliant')} == 0)"

    @property
    def complies(self) -> str:
        """How many policies a target has, if it meets them all.

        A policy without a sample is detected by the number of names in the label `policy` of `target_info`.
        """
        # The first match counts: a target with three names also matches two and one.
        counts = [
            self.series("tls_posture_target_info", f'policy=~"([^,]+,){{{commas}}}.+"')
            for commas in range(MOST_POLICIES, 0, -1)
        ]
        numbers = ["Inf", *(str(number) for number in range(MOST_POLICIES, 1, -1))]
        many = " or ".join(f"{number} * {names}" for number, names in zip(numbers, counts, strict=True))
        policies = f"max by ({KEY}) ({many} or {self.targets})"
        return f"(count by ({KEY}) ({self.series('tls_posture_compliant')} == 1) == on ({KEY}) {policies})"

    @property
    def verdict(self) -> str:
        """Over all policies of a target: 0 if it fails one, 1 if it meets all, otherwise absent."""
        return f"(0 * {self.fails} or {self.complies} ^ 0)"

    @property
    def undecided(self) -> str:
        """1 for each target without a verdict."""
        return f"{self.targets} unless on ({KEY}) {self.fails} unless on ({KEY}) {self.complies}"

    @property
    def grade(self) -> str:
        """`tls_posture_grade_rank`, with -1 for T and -2 for M, which have the rank of F."""
        rank = self.per_target("tls_posture_grade_rank")
        special = f"({self.grade_info('T')} or 2 * {self.grade_info('M')})"
        return f"({rank} - on ({KEY}) {special} or {rank})"

    def grade_info(self, letter: str) -> str:
        """1 for each target with this grade."""
        info = self.series("tls_posture_grade_info", f'grade="{letter}"')
        return f"max by ({KEY}) ({info})"

    @property
    def grades(self) -> str:
        """1 for each grade of a target. There is only one, except while it changes."""
        return self.per_target("tls_posture_grade_info", "max", f"{KEY}, grade")

    @property
    def data_age(self) -> str:
        """Seconds since the last successful scan."""
        return f"(time() - {self.per_target('tls_posture_last_success_timestamp_seconds', 'max')})"

    @property
    def data_age_in_intervals(self) -> str:
        """The same, in scan intervals of the target."""
        return f"{self.data_age} / {self.per_target('tls_posture_scan_interval_seconds', 'max')}"

    @property
    def not_after(self) -> str:
        """End of validity of the leaf certificates, one for each key algorithm."""
        return self.series("tls_posture_certificate_not_after_timestamp_seconds")

    def days_left(self, key: str = KEY) -> str:
        """Days until the leaf certificate expires; with several certificates, the first end."""
        return f"(min by ({key}) ({self.not_after}) - time()) / 86400"

    def lifetime_left(self, key: str = KEY) -> str:
        """Share of the certificate's lifetime that is left; with several certificates, the smallest."""
        begin = self.series("tls_posture_certificate_not_before_timestamp_seconds")
        return f"min by ({key}) (({self.not_after} - time()) / ({self.not_after} - {begin}))"


ALL = Selection('job=~"$job", instance=~"$instance"')
"""All chosen exporters."""
WHOLE = ALL.only('target="$target"')
"""One target, all its addresses together."""
ONE = WHOLE.only('address=~"$address"')
"""One target, or some of its addresses."""

BUILD = ALL.series("tls_posture_exporter_build_info")
EXPORTERS = f"last_over_time({BUILD}[1d])"
"""`up` alone would count every job of the Prometheus server when all jobs are chosen."""
EXPORTERS_UP = f"{ALL.series('up')} and on (job, instance) {EXPORTERS}"


def of_exporters(metric: str) -> str:
    """A metric that other programs also have, of exporters only."""
    return f"{ALL.series(metric)} and on (job, instance) {BUILD}"


def any_of(checks: Sequence[str]) -> str:
    """The matcher for these checks."""
    return f'check=~"{"|".join(checks)}"'


def severe_first(states: str, of_critical: str) -> str:
    """The states, with failures of critical checks before others, to sort by."""
    return f"({of_critical} - 0.5 or {states})"
