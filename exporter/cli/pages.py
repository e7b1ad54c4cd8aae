"""What commands show to people, in the width of the terminal, and as plain lines in a pipe."""

from rich.console import Console, RenderableType
from rich.theme import Theme

PROSE_WIDTH = 100
"""Longer lines of prose are hard to read."""
_PLAIN = Theme({"markdown.h2": "bold", "markdown.code": "bold"})
"""Rich's own styles of Markdown have a background, which is wrong on some terminals."""


def page_console(width: int | None = None) -> Console:
    """The console of pages. Without a width, it has that of the terminal."""
    return Console(highlight=False, theme=_PLAIN, width=width)


def show(page: RenderableType, console: Console | None = None) -> None:
    """Print the page. In a pipe, lines end where their text ends."""
    console = console or page_console()
    if console.is_terminal:
        console.print(page)
        return
    with console.capture() as printed:
        console.print(page)
    print("\n".join(line.rstrip() for line in printed.get().rstrip("\n").split("\n")))
