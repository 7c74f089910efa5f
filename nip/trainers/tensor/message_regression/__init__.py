"""Message regression: what the messages of agents reveal, measured by networks that read them."""
