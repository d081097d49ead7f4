"""The conductor of a live move: one module for each phase it can be in, and the loop that goes from one to the next."""
