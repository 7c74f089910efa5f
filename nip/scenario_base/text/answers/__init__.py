"""Parsing of the answers of language models: messages, headers and decisions."""
