"""Which processes there are, and what happens if one dies."""
