"""How it goes: reads what the store says and never changes a task. If this room falls silent, the work goes on."""
