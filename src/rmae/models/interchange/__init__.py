"""Names, shapes and settings of weights elsewhere, to this project's and back. Nothing here reads or writes a file."""
