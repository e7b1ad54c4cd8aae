"""What can be wrong with a pattern, or with a text for it."""


class RegexError(ValueError):
    """A pattern is not in RE2's syntax, or has a part that is not supported here.

    Attributes:
        what: what is wrong, for the operator.
        position: the index of the character where it is wrong.
    """

    def __init__(self, what: str, position: int) -> None:
        super().__init__(f"{what}, at character {position + 1}")
        self.what = what
        self.position = position


class TextTooLongError(ValueError):
    """A text is too long for this pattern: a match could take too long."""
