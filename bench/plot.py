"""Lines as an SVG picture, one panel for each series, without a library."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 130
LEFT, RIGHT, TOP, BOTTOM = 90, 20, 26, 22

Points = Sequence[tuple[float, float]]


def draw(series: Mapping[str, Points], along: str) -> str:
    """The picture: the title of each panel is the name of its series, `along` is what the points are along."""
    panels = "".join(
        _panel(place * HEIGHT, f"{name}, along {along}", points) for place, (name, points) in enumerate(series.items())
    )
    height = HEIGHT * len(series)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
    return f'{head} font-size="11">\n<rect width="{WIDTH}" height="{height}" fill="white"/>\n{panels}</svg>\n'


def _panel(top: int, title: str, points: Points) -> str:
    """One panel. The vertical axis begins at 0, so that a flat line looks flat."""
    last = max((x for x, _ in points), default=0) or 1
    most = (max((y for _, y in points), default=0) or 1) * 1.1
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    bottom = top + HEIGHT - BOTTOM
    line = " ".join(f"{LEFT + x / last * wide:.1f},{bottom - y / most * high:.1f}" for x, y in points)
    peak = max((y for _, y in points), default=0)
    return (
        f'<text x="{LEFT}" y="{top + 16}">{escape(title)}</text>\n'
        f'<path d="M{LEFT} {top + TOP}V{bottom}H{LEFT + wide}" fill="none" stroke="#888"/>\n'
        f'<text x="{LEFT - 6}" y="{bottom - peak / most * high + 4:.1f}" text-anchor="end">{peak:,.0f}</text>\n'
        f'<text x="{LEFT - 6}" y="{bottom}" text-anchor="end">0</text>\n'
        f'<text x="{LEFT + wide}" y="{bottom + 14}" text-anchor="end">{last:,.0f}</text>\n'
        f'<polyline points="{line}" fill="none" stroke="#1f77b4" stroke-width="1.5"/>\n'
    )
