"""The words and the rules, pure: no clock, dice, file or process; the present is an argument, a decision a value."""
