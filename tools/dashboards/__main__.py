"""Writes the files: `python -m tools.dashboards`."""

from tools.dashboards.files import FOLDER, rendered


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
