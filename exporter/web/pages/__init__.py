"""Pages for people: one file each, with a `PAGE`, and an entry in the tuple `PAGES`."""

from starlette.routing import BaseRoute

from exporter.html.templates import preload
from exporter.web.pages import fleet, target
from exporter.web.pages.page import ASSETS_ROUTE, PageData, PageRoute, WebPage

__all__ = ["PAGES", "PageData", "WebPage", "page_routes"]

PAGES: tuple[WebPage, ...] = (fleet.PAGE, target.PAGE)


def page_routes(data: PageData) -> list[BaseRoute]:
    """The routes of all pages, and of what they load."""
    preload()
    return [ASSETS_ROUTE, *(PageRoute(page, data) for page in PAGES)]
