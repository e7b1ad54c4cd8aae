"""The short form of `make scale`: numbers of scans, connections and states, never a time."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.scale import __main__ as program
from bench.scale import namespace
from bench.scale.daemon import Page, tree_cpu
from bench.scale.farm import ROOT, SHARES, address, kind_of, scale_farm
from bench.scale.peers import ANY, PEERS, found, measure_peer
from bench.scale.phases import Ground, Load, Plan, measure_size, net_cpu
from bench.scale.reference import generate_latest_cpu
from bench.scale.report import ROWS, derived, number

TARGETS = 45
"""More than a start shows in one step, so lists that come meanwhile meet targets that wait."""
PLAN = Plan(window_seconds=12, first_seconds=240, busy=2, scrapes=1, reloads=1)
"""Busy targets are scanned every ten seconds, so each window has a scan of them."""


@pytest.mark.real
@pytest.mark.timeout(600)
def test_targets_are_scanned_reloaded_stopped_and_restored(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with scale_farm(tmp_path / "farm") as farm:
        size = measure_size(Ground(farm, tmp_path, ROOT, lambda _: None), TARGETS, PLAN)
    assert size.first.scans >= TARGETS - 1  # that of the configuration may end before the first look
    assert (size.targets, size.scanned, size.restored) == (TARGETS, TARGETS, TARGETS)
    assert size.idle.scans == 0
    assert size.load.scans >= 1
    assert size.packed_bytes < size.page_bytes
    assert size.series > TARGETS
    figures = derived(size)
    assert all(name in figures for _, name in ROWS)
    assert figures["series"] == size.series
    assert figures["idle_percent"] is not None
    assert derived(replace(size, idle=replace(size.idle, scans=1)))["idle_percent"] is None


@pytest.mark.real
@pytest.mark.timeout(600)
def test_the_command_line_compares_ours_with_sslyze(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "scale.json"
    arguments = ["--sizes=", "--kinds=checklist", "--peers=sslyze,sslscan,ssl_exporter", "--sample=2", "--alike=3"]
    assert program.main([*arguments, "--window=12", "--no-namespace", f"--json={file}"]) == 0
    told = json.loads(file.read_text())
    plain, attacked = told["ours"]
    assert [plain["attacks"], attacked["attacks"]] == [False, True]
    assert plain["load"]["scans"] >= 3
    assert plain["connections"] < attacked["connections"]
    sslyze, sslscan, _ = told["peers"]
    assert (sslyze["scans"], sslscan["scans"]) == (2, 2)
    for peer in (sslyze, sslscan):
        assert peer["suites"] == plain["suites"]
    assert "13 of 13" in capsys.readouterr().out


def test_each_hundred_targets_have_the_shares_and_all_have_their_own_address() -> None:
    assert Counter(map(kind_of, range(700, 800))) == SHARES
    assert len({address(number) for number in range(100_000)}) == 100_000
    assert address(99_999) == "127.65.149.250"


def test_a_scanner_that_is_not_installed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for name in ("sslscan", "ssl_exporter", "tlsx"):
        assert "not" in measure_peer(name, tmp_path / name, []).missing
    assert set(PEERS) == {"sslyze", "sslyze-all", "sslscan", "ssl_exporter", "tlsx"}


def test_suites_are_compared_by_protocol_where_a_scanner_names_it() -> None:
    ours = {"TLSv1.2": frozenset("ab"), "TLSv1.3": frozenset("c")}
    assert found({"TLSv1.2": frozenset("ax")}, ours) == (1, 3, 1)
    assert found({ANY: frozenset("abx")}, ours) == (2, 3, 1)


def test_cpu_of_a_scan_is_without_what_the_idle_daemon_and_scrapes_cost() -> None:
    idle, load = Load(0, 1.0, 10, 0), Load(50, 8.0, 20, 2)
    assert net_cpu(load, idle, 0.5) == pytest.approx((8 - 2 - 1) / 50)
    assert net_cpu(Load(0, 8.0, 20, 2), idle, 0.5) == 0


def test_the_lag_is_the_limit_of_the_bucket_that_has_the_share() -> None:
    load = Load(0, 0, 1, 0, {0.01: 90.0, 0.05: 99.0, float("inf"): 100.0})
    assert [load.lag_limit(share) for share in (0.5, 0.99, 1.0)] == [0.01, 0.05, float("inf")]
    assert Load(0, 0, 1, 0, {0.01: 0.0}).lag_limit(0.5) is None
    assert number(load.lag_limit(1.0)) == "over all limits"


def test_figures_of_the_daemon_are_read_from_its_metrics() -> None:
    page = Page(
        'tls_posture_scan_success{target="a"} 1\n\n'
        'tls_posture_scan_success{target="b"} 0\n'
        'tls_posture_exporter_scans_total{outcome="success"} 3.0\n'
        'tls_posture_exporter_scans_total{outcome="failure"} 4.0\n'
        'tls_posture_exporter_loop_lag_seconds_bucket{le="0.001"} 2.0\n'
        'tls_posture_exporter_loop_lag_seconds_bucket{le="+Inf"} 5.0\n',
        0,
        0,
    )
    assert page.own("scans_total") == 7
    assert page.buckets("loop_lag_seconds") == {0.001: 2, float("inf"): 5}
    assert page.series == 2
    assert generate_latest_cpu(page.text) >= 0


def test_cpu_of_a_process_includes_its_children() -> None:
    assert tree_cpu(os.getpid()) > 0
    assert tree_cpu(2**30) == 0


@pytest.mark.real
def test_the_exit_code_is_that_of_the_program_in_the_namespace() -> None:
    problem = namespace.why_not()
    if problem is not None:
        pytest.skip(problem)
    command = [sys.executable, "-m", "bench.scale", "--sizes=x"]  # which the program there refuses
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60).returncode == 2
    inside = (
        "import sys; from bench.scale.namespace import run_inside; sys.exit(run_inside('tests.support.nothing', []))"
    )
    done = subprocess.run([sys.executable, "-c", inside], cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1
    assert b"No module named tests.support.nothing" in done.stderr
