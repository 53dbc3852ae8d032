"""What was: figures of the machine and of the work, kept in ``history.db``."""
