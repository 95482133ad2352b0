"""The demo run: audits the installed Python standard library and reports with the public emitters."""
