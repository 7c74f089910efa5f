"""Components of trainers for language models: sampling, state, statistics and fine-tuning."""
