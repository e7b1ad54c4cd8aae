"""The command line: the parser, and one module per subcommand, which is imported when it runs."""
