"""The kinds of rule, and the conditions they may be under."""
