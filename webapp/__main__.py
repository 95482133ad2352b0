"""`python -m webapp` is `signalbox`."""

from webapp.cli import main

if __name__ == "__main__":
    main()
