"""The version of the program. A home remembers which one wrote it."""

VERSION = "0.1.0"
