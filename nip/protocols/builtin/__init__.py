"""The protocols that come with the package, one file each."""
