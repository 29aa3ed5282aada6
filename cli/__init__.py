"""The command ``faas``: a module a verb, ``cli.packing`` for functions, ``cli.local`` for the one-machine platform."""
