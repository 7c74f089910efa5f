"""The commands of ``nip``: one module each, imported when the command is used."""
