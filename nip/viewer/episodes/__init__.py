"""Episodes of networks that the callback ``rollout_samples`` has written, and their drawings."""
