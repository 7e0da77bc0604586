"""The readers, by what they read."""
