"""What runs inside of other people's tests; its folder goes in front of their PYTHONPATH."""
