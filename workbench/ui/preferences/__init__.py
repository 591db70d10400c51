"""The user's own files: keys and layout."""
