"""Where candidate and incumbent differ, what that is worth, and how sure we may be."""
