"""A session that is being trained."""
