"""From what a user types to checked parameters, before anything heavy is imported."""
