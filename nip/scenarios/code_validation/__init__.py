"""The code validation scenario: datasets, prompts, agents, and generation of programs."""
