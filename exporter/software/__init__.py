"""What servers say of their software, and until when that is maintained. Pure, but for the reading of the data's files.

`fields` and `greetings` read what servers say, `packages` the marks of distributions in it; `support` is the table of
releases and the verdict by it, `files` reads the table.
"""
