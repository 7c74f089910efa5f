"""A passage that only provers see, a claim about it, and quotations that are verified."""
