"""One module a subcommand: ``HELP``, ``add_arguments(parser)``, ``run(args) -> exit code``; table in `config.cli`."""
