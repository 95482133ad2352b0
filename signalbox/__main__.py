"""`python -m signalbox`: the command."""

from signalbox.webapp.cli import main

if __name__ == "__main__":
    main()
