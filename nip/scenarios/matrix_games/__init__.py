"""Differentiable and repeated games with known solutions."""
