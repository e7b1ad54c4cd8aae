"""The command line: the parser, and a module for each subcommand, which is imported when it runs."""
