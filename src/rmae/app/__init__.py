"""The app: a page in the browser on which a person clicks and sees what a model makes of it."""
