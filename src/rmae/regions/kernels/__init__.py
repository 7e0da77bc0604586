"""Compiled loops over pixels, edges and runs. Imported only where they run: numba takes half a second to import."""
