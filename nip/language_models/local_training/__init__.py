"""Fine-tuning jobs on this machine: their folders, the worker that runs them, and the training."""
