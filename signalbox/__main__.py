"""The `signalbox` command as `python -m signalbox`."""

from signalbox.webapp.cli import main

if __name__ == "__main__":
    main()
