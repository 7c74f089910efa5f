"""Code validation: is a program a correct answer to a question? Datasets, prompts and agents."""
