"""What servers report about their software, and until when it is maintained. Pure, except for reading data files.

`fields` and `greetings` parse what servers report, `packages` finds the marks of distributions in it. `support` is the
table of releases and the verdict by it; `files` reads the table.
"""
