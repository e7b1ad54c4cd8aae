"""Pages for people: one file each, with a `PAGE`, and an entry in the tuple `PAGES`."""

from starlette.routing import BaseRoute

from exporter.html.templates import preload
from exporter.web.pages import certificates, changes, fleet, policies, policy, status, target
from exporter.web.pages.page import ASSETS_ROUTE, PageData, PageRoute, WebPage
from exporter.web.pages.source import source_route
from exporter.web.places import Places

__all__ = ["PAGES", "PageData", "WebPage", "page_routes"]

PAGES: tuple[WebPage, ...] = (
    fleet.PAGE,
    target.PAGE,
    certificates.PAGE,
    changes.PAGE,
    policies.PAGE,
    policy.PAGE,
    status.PAGE,
)


def page_routes(data: PageData) -> list[BaseRoute]:
    """The routes of all pages, and of what they load."""
    preload()
    places = Places()
    return [ASSETS_ROUTE, *(PageRoute(page, data, places) for page in PAGES), source_route(places)]
