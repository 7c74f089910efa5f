"""Built-in callbacks: attacks during training, and alarms. Each registers itself on import."""
