"""Text scenarios: dialogues of language models, with prompts, answers, decisions and rewards."""
