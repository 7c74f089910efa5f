"""Image classification: images of two kinds, and messages that name places in them."""
