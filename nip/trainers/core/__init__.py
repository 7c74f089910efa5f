"""What every trainer shares: base class, callbacks, context, components, progress."""
