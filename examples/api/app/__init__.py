"""The Connect 2.0 API."""
