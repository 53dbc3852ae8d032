"""The Python face: queues of files, a processor, the modern face, and functions as tasks.

Thin over store and engine, and usable from several processes and threads at once. Nothing is imported
here: the front door takes each name from the file where it lives, and a worker that runs a built-in
step imports that file alone. An engine never runs in a caller's own process, where it could neither
have the signals nor tell the caller's children from what a task has left behind (`engine_process`).
"""
