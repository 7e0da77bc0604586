"""The model: parts, composition, losses and weights. Nothing here reads an image."""
