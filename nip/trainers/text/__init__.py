"""Training of language models: sampling, stages, statistics, fine-tuning."""
