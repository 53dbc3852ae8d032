"""What is the same for every store that speaks SQL: the operations, and the statements they are made of.

The statements are SQLite's, which is the store that most people have and whose hot path must cost nothing more;
another database translates them (``store/postgres/dialect.py``). What a database must offer is in ``database`` and in
`overnight.store.sql.statements.Connection`.
"""
