"""Losses, optimizers, schedules and update steps of local networks."""
