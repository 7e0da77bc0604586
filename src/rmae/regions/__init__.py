"""Regions of an image: where they come from and the one form in which everything else sees them."""
