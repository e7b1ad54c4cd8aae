"""Writes the table of clients into docs/clients.md, between its two marks. The text around it is written by hand."""

from pathlib import Path

from exporter.clients.client import Client, ClientTable
from exporter.clients.files import shipped_clients

FILE = Path(__file__).parent.parent / "docs" / "clients.md"
START, END = "<!-- table: written by tools/write_clients.py -->\n", "<!-- end of the table -->\n"

COLUMNS = ("Id", "Client", "Kind", "Current", "Versions", "Suites", "Groups", "SNI", "Refuses", "Source")


def _refuses(client: Client) -> str:
    limits = client.limits
    parts = [
        limits.min_dh_bits and f"DH < {limits.min_dh_bits}",
        limits.max_dh_bits and f"DH > {limits.max_dh_bits}",
        limits.min_rsa_bits and f"RSA < {limits.min_rsa_bits}",
        limits.refuses_sha1 and "SHA-1 signatures",
        limits.wants_secure_renegotiation and "no RFC 5746",
    ]
    return ", ".join(part for part in parts if part)


def _row(client: Client) -> tuple[str, ...]:
    source = f"{client.source.name}, {client.source.date:%Y-%m-%d}"
    return (
        f"`{client.id}`",
        client.name,
        client.kind,
        "yes" if client.current else "",
        " to ".join(dict.fromkeys((client.protocols[0], client.protocols[-1]))),
        str(len(client.suites)),
        "" if client.groups is None else str(len(client.groups)),
        "yes" if client.sends_sni else "no",
        _refuses(client),
        f"{source}: {client.how}" if client.how else source,
    )


def table(clients: ClientTable) -> str:
    """The generated part."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(_row, clients.clients.values())]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    sources = dict.fromkeys(client.source for client in clients.clients.values())
    about = [f"- {one.name} ({one.date:%Y-%m-%d}): {one.text}." for one in sources]
    head = f"{len(clients.clients)} clients, as of {clients.as_of:%Y-%m-%d}."
    return "\n".join((head, "", *about, "", *lines)) + "\n"


def document(text: str) -> str:
    """The file's content with the table in its place."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{table(shipped_clients())}\n{END}{after}"


if __name__ == "__main__":
    FILE.write_text(document(FILE.read_text(encoding="utf-8")), encoding="utf-8")
