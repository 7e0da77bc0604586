"""Models beside each other, and what each of them makes of a picture."""
