"""The dashboard: a process of its own that reads the store, and asks the engine for what people want.

It keeps nothing: what it shows is in the home, so it may be killed and started at any time. FastAPI and
uvicorn are an extra; nothing here is imported before somebody asks for the dashboard.
"""
