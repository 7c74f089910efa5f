"""Training of local networks: rollouts, solo training, pretraining, data parallelism."""
