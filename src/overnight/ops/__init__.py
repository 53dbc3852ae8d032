"""Whether all is well around the work, and how to mend it."""
