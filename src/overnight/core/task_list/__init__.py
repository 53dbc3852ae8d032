"""Lists of tasks that people and other programs write: Markdown, Task Master, JSON lines. Text in, entries out."""
