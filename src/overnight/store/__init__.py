"""What is true: the tasks of a home, and the operations that change them.

``contract`` says what a store must do; each implementation is a folder beside it, and
``tests/conformance/store`` holds them all to the same promises.
"""

#: Where each store is opened.
STORES = {
    "sqlite": "overnight.store.sqlite:SqliteStore",
    "postgres": "overnight.store.postgres:PostgresStore",
}

#: What lies beside the stores and is none.
BESIDE = ("overnight.store.copies", "overnight.store.sql")
