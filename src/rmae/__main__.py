"""`python -m rmae`: the command line, where its script is not installed."""

from rmae.cli import main

if __name__ == "__main__":
    main()
