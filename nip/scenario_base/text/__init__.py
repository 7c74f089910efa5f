"""Dialogues between language models: what each agent sees, how answers are read, who is paid."""
