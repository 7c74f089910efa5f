"""Dialogues of language models: their records, filters, costs, and what each agent was sent."""
