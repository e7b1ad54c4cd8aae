"""The committed registries match the library that they were generated from."""

from tools.write_registries import FILE, module


def test_the_registries_are_as_generated() -> None:
    """`make generate` writes them."""
    assert FILE.read_text(encoding="utf-8") == module()
