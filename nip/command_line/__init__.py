"""The command line: parsing, composition, checks, and reports on the terminal."""
