"""TLS stacks that no small Debian package has: built from `stacks/` if the toolchains are installed.

The results are in `.build/`. Only changed sources are built again.
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STACKS = Path(__file__).with_name("stacks")
BUILT = Path(__file__).with_name(".build")
CARGO = BUILT / "cargo"
LIMIT_SECONDS = 1800
"""Limit of one build. That of OpenSSL takes some three minutes on two cores."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """One toolchain, and its build.

    Attributes:
        folder: folder of the sources in `stacks/`.
        programs: programs that must be on the path.
        command: build command; empty if nothing has to be built.
    """

    folder: str
    programs: Sequence[str]
    command: tuple[str, ...] = ()


GO = Toolchain("go", ("go",), ("go", "build", "-o", str(BUILT / "go-server"), "."))
JAVA = Toolchain("java", ("java", "javac"))
NODE = Toolchain("node", ("node",))
RUST = Toolchain("rust", ("cargo", "cc"), ("cargo", "build", "--quiet", "--release", "--target-dir", str(CARGO)))
OPENSSL = Toolchain("openssl", ("cargo", "cc", "make", "perl"), ("./build", str(BUILT / "openssl"), str(CARGO)))

GO_SERVER = BUILT / "go-server"
RUSTLS_SERVER, S2N_SERVER = CARGO / "release" / "rustls-server", CARGO / "release" / "s2n-server"
NEW_OPENSSL = BUILT / "openssl" / "apps" / "openssl"
JSSE_SERVER, NODE_SERVER = STACKS / "java" / "JsseServer.java", STACKS / "node" / "server.js"


@cache
def unavailable(toolchain: Toolchain) -> str | None:
    """Why its servers cannot be used; None if they can. Builds them first."""
    absent = [name for name in toolchain.programs if not shutil.which(name)]
    if absent:
        return f"{', '.join(absent)} not installed"
    return _build(toolchain) if toolchain.command else None


def _build(toolchain: Toolchain) -> str | None:
    BUILT.mkdir(exist_ok=True)
    try:
        done = subprocess.run(  # noqa: S603 - a command of this file
            toolchain.command,
            cwd=STACKS / toolchain.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"building stacks/{toolchain.folder} took over {LIMIT_SECONDS} s"
    return f"stacks/{toolchain.folder} cannot be built: {done.stdout[-500:].strip()}" if done.returncode else None
