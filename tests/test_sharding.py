"""Which shard a target belongs to, and what a shard uses of a list."""

import asyncio
import json
from argparse import Namespace
from collections import Counter
from pathlib import Path

import pytest

from exporter.app import App
from exporter.errors import ExporterError
from exporter.model import Target
from exporter.policies import read_config
from exporter.sharding import Shard, chosen_shard, shard_of
from exporter.targets.discovered import Rejected, TargetList
from tests.cli.test_command import run
from tests.support.targets import make_target

NAMES = [f"www{number}.test.example:443" for number in range(6_000)]


def test_the_assignment_is_the_same_in_every_release() -> None:
    """Another assignment would move almost all targets with an update."""
    names = ("www.example.com:443", "mail.example.com:25", "bücher.example", "\udcff", "")
    assert [shard_of(name, 5) for name in names] == [4, 4, 2, 0, 1]
    assert {shard_of(name, 1) for name in NAMES} == {0}


def test_each_shard_has_about_the_same_number_of_targets() -> None:
    """Each of the 5 has 1,200 on average, with a standard deviation of 31."""
    counts = Counter(shard_of(name, 5) for name in NAMES)
    assert set(counts) == set(range(5))
    assert max(abs(count - 1_200) for count in counts.values()) < 124


@pytest.mark.parametrize("total", [1, 2, 5, 9])
def test_one_more_shard_gets_its_share_and_no_other_target_moves(total: int) -> None:
    before, after = ([shard_of(name, several) for name in NAMES] for several in (total, total + 1))
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {total}
    assert abs(len(moved) - len(NAMES) / (total + 1)) < 160


def listing(*targets: Target) -> TargetList:
    found_in = {one.name: ("targets",) for one in targets}
    return TargetList(targets, found_in, {"x": {"used": 3}}, (Rejected("x", {}, "y"),))


def test_the_parts_of_all_shards_are_the_list() -> None:
    everything = listing(*(make_target(name=name) for name in NAMES[:50]))
    parts = [Shard(index, 3).part_of(everything) for index in range(3)]
    assert sorted(one.name for part in parts for one in part.targets) == sorted(NAMES[:50])
    for part in parts:
        assert part.found_in.keys() == {one.name for one in part.targets}
        assert part.elsewhere == 50 - len(part.targets)
        assert (part.outcomes, part.rejected) == (everything.outcomes, everything.rejected)


@pytest.mark.parametrize(
    ("index", "total", "problem"),
    [
        (0, None, "--shard.index and --shard.total are needed together"),
        (None, 3, "--shard.index and --shard.total are needed together"),
        (3, 3, "--shard.index=3: with --shard.total=3, indexes are 0 to 2"),
    ],
)
def test_flags_that_name_no_shard(index: int | None, total: int | None, problem: str) -> None:
    with pytest.raises(ExporterError) as error:
        chosen_shard(Namespace(shard_index=index, shard_total=total))
    assert str(error.value) == problem


def test_the_flags_name_a_shard_or_none() -> None:
    assert chosen_shard(Namespace(shard_index=None, shard_total=None)) is None
    assert chosen_shard(Namespace(shard_index=0, shard_total=1)) == Shard(0, 1)


def shown(app: App) -> set[str]:
    """The targets with series about them."""
    lines = app.metrics("")[0].decode().splitlines()
    return {line.split('"')[1] for line in lines if line.startswith("tls_posture_target_info{")}


def write(folder: Path, configured: int, found: int) -> Path:
    """Targets of which nothing answers, in the configuration and in a list."""
    hosts = [f"https://127.0.0.1:{port}" for port in range(1, 1 + configured + found)]
    (folder / "list.json").write_text(json.dumps([{"targets": hosts[configured:]}]))
    text = {"targets": hosts[:configured], "file_sd_configs": [{"files": ["list.json"]}]}
    (folder / "config.yaml").write_text(json.dumps(text))
    return folder / "config.yaml"


def test_three_exporters_share_configured_and_found_targets(tmp_path: Path) -> None:
    file = write(tmp_path, 4, 8)

    async def share_of(index: int) -> set[str]:
        app = App(read_config(file))
        app.use_shard(Shard(index, 3))
        page = app.metrics("")[0].decode()
        assert f'tls_posture_exporter_shard_info{{index="{index}",total="3"}} 1.0\n' in page
        ready = asyncio.Event()
        app.start(ready.set)
        try:
            async with asyncio.timeout(60):
                await ready.wait()
            return shown(app)
        finally:
            await app.stop()

    async def all_shares() -> list[set[str]]:
        return [await share_of(index) for index in range(3)]

    shares = asyncio.run(all_shares())
    assert sum(map(len, shares)) == 12
    assert set().union(*shares) == {f"127.0.0.1:{port}" for port in range(1, 13)}
    assert all(shares)


def test_a_shard_that_loses_its_last_target_to_a_reload_is_not_an_empty_list(tmp_path: Path) -> None:
    """The list has become empty only if it has for all shards."""
    file = write(tmp_path, 4, 0)

    async def steps() -> None:
        owner = shard_of("127.0.0.1:1", 3)
        app = App(read_config(file))
        app.use_shard(Shard(owner, 3))
        app.start()
        try:
            others = [port for port in range(1, 60) if shard_of(f"127.0.0.1:{port}", 3) != owner]
            file.write_text(json.dumps({"targets": [f"https://127.0.0.1:{others[0]}"]}))
            assert await app.reload(file)
            assert shown(app) == set()
            file.write_text("targets: []\n")
            assert await app.reload(file), "it was empty"
        finally:
            await app.stop()

    asyncio.run(steps())


def test_the_commands_show_the_share(tmp_path: Path) -> None:
    flags = (f"--config.file={write(tmp_path, 4, 8)}", "--shard.total=3")
    shares: list[list[str]] = []
    for index in range(3):
        document = json.loads(run("targets", *flags, f"--shard.index={index}", "--format=json").stdout)
        assert document["shard"] == {"index": index, "total": 3}
        shares.append([one["target"] for one in document["targets"]])
    assert sorted(name for share in shares for name in share) == sorted(f"127.0.0.1:{port}" for port in range(1, 13))
    place = max(range(3), key=lambda index: len(shares[index]))
    number = len(shares[place])
    listed, checked = (run(command, *flags, f"--shard.index={place}") for command in ("targets", "check-config"))
    assert listed.stdout.startswith(f"Shard {place} of 3: {number} targets (")
    assert f"Other shards have {12 - number}.\n" in listed.stdout
    assert f"\nshard {place} of 3: {number} of 12 targets\n" in checked.stdout
    alone = run("check-config", *flags)
    assert (alone.returncode, alone.stderr.strip()) == (
        2,
        "tls-posture-exporter: --shard.index and --shard.total are needed together",
    )
