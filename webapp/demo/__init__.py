"""The demo run: an audit of the installed Python standard library, with the public emitters."""
