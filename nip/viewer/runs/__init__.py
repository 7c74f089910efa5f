"""What the viewer shows of runs: summaries, curves, parameters, checkpoints, jobs and costs."""
