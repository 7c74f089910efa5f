"""What all pages of the viewer share: options, security, rendering and addresses."""
