"""Allows sslyze the cryptography of the lock, in the environment whose Python runs this.

sslyze's metadata asks for cryptography below 47, which has known advisories. The tests run sslyze on the one of the
lock. Without this change, `pip check` reports a conflict in each environment that is made from the lock, and hides
others behind it.
"""

import base64
import csv
import hashlib
import io
import re
import sys
from importlib.metadata import distribution
from pathlib import Path

METADATA = "sslyze-6.3.1.dist-info/METADATA"
_LIMIT = re.compile(r"^(Requires-Dist: cryptography)<47,(>=43)$", re.MULTILINE)


def relax(site_packages: Path) -> None:
    """Remove the limit, and enter the new digest where pip looks for it; nothing happens if it is done.

    Raises:
        ValueError: the metadata is not that of the sslyze that was tested.
    """
    file, record = site_packages / METADATA, site_packages / "sslyze-6.3.1.dist-info" / "RECORD"
    old = file.read_text(encoding="utf-8")
    new, count = _LIMIT.subn(r"\1\2", old)
    if not count and "\nRequires-Dist: cryptography>=43\n" not in old:
        raise ValueError(f"{file}: no limit of cryptography that is known")
    file.write_text(new, encoding="utf-8", newline="\n")
    data = file.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    rows = [
        [name, f"sha256={digest}", str(len(data))] if name == METADATA else [name, *others]
        for name, *others in csv.reader(io.StringIO(record.read_text(encoding="utf-8")))
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    record.write_text(text.getvalue(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    try:
        relax(Path(str(distribution("sslyze").locate_file(""))))
    except (OSError, ValueError) as error:
        sys.exit(f"relax_sslyze: {error}")
