"""Prices of models, usage tracking with budgets, and cost estimates."""
