"""Where an encoder looks from inside an object: its attention and its features against the object's mask."""
