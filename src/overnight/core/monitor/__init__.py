"""What is made of measurements; pure."""
