"""Regular expressions in RE2's syntax, with the matches that Go's `regexp` finds, for patterns that Prometheus reads.

`characters` has sets of code points, and `syntax` the tree of a pattern. `reader` and `parser` read it. `program`
matches in linear time, and `templates` fills in `$1`. `pattern` puts them together: Python's `re` matches where it is
known to be fast.
"""

from exporter.re2.errors import RegexError, TextTooLongError
from exporter.re2.pattern import Regex, compile_regex
from exporter.re2.templates import Template, parse_template

__all__ = ["Regex", "RegexError", "Template", "TextTooLongError", "compile_regex", "parse_template"]
