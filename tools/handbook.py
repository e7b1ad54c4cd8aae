"""The hooks of mkdocs.yml: links that leave docs/, folders in the navigation, what searches find.

The documents are read in two places: in the repository, and as the handbook. A link to a file outside of docs/, such as
the example of the configuration, works in both: the handbook has a copy of the file below `repository/`, and documents
among these files are pages.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)#\s]+)")
_MADE = re.compile(r"\A<!--.*?-->\s*", re.DOTALL)
_COPIES = "repository/"


def on_config(config: MkDocsConfig) -> None:
    """Replace patterns in the navigation by the pages that they fit, except READMEs, which are first pages."""
    config.nav = [*_expanded(config.nav or [])]


def _expanded(entries: list[object]) -> Iterator[object]:
    for entry in entries:
        if isinstance(entry, str) and "*" in entry:
            pages = sorted((ROOT / "docs").glob(entry))
            yield from (page.relative_to(ROOT / "docs").as_posix() for page in pages if page.stem != "README")
        elif isinstance(entry, dict):
            yield {title: [*_expanded(part)] if isinstance(part, list) else part for title, part in entry.items()}
        else:
            yield entry


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the files outside of docs/ that documents link to, and those that these link to."""
    waiting = [file.src_uri for file in files.documentation_pages()]
    while waiting:
        page = waiting.pop()
        for path in {target for _, target in _links((ROOT / _source(page)).read_text("utf-8"), page)}:
            uri = _uri(path)
            if uri.startswith(_COPIES) and files.get_file_from_path(uri) is None and (ROOT / path).is_file():
                files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
                waiting += [uri] if uri.endswith(".md") else []


def on_page_markdown(markdown: str, page: Page, **_other: object) -> str:
    """Let the links of the page lead to the places that files have in the handbook; leave out who wrote the page.

    With a comment in front of its heading, a page would be named by its file. Searches do not find copies and reasons
    first.
    """
    page.meta["search"] = {"exclude": page.file.src_uri.startswith((_COPIES, "sessions/"))}
    if page.file.src_uri.startswith("decisions/"):
        page.meta["search"]["boost"] = 0.5
    markdown = _MADE.sub("", markdown)
    folder = posixpath.dirname(page.file.src_uri)
    of_link = {link: posixpath.relpath(_uri(path), folder) for link, path in _links(markdown, page.file.src_uri)}
    return _LINK.sub(lambda found: found[1] + of_link[found[2]], markdown)


def _links(markdown: str, page: str) -> Iterator[tuple[str, str]]:
    """Links of a page to files, each with the path of the file in the repository."""
    folder = posixpath.dirname(_source(page))
    for found in _LINK.finditer(markdown):
        yield found[2], posixpath.normpath(posixpath.join(folder, found[2]))


def _source(uri: str) -> str:
    """The path in the repository of a file of the handbook."""
    return uri.removeprefix(_COPIES) if uri.startswith(_COPIES) else f"docs/{uri}"


def _uri(path: str) -> str:
    """The place in the handbook of a file, or of the first page of a folder, of the repository."""
    if (ROOT / path / "README.md").is_file():
        path = f"{path}/README.md"
    return path.removeprefix("docs/") if path.startswith("docs/") else _COPIES + path
