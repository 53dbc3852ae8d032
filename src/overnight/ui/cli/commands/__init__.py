"""One verb, one file. The list of them is in ``overnight.ui.cli.group``."""
