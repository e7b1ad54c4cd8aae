"""What commands show to people, in the width of the terminal, and as plain lines in a pipe."""

from rich.console import Console, RenderableType


def show(page: RenderableType, console: Console | None = None) -> None:
    """Print the page. In a pipe, lines end where their text ends."""
    console = console or Console(highlight=False)
    if console.is_terminal:
        console.print(page)
        return
    with console.capture() as printed:
        console.print(page)
    print("\n".join(line.rstrip() for line in printed.get().rstrip("\n").split("\n")))
