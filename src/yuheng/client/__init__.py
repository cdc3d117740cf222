"""A small Python client for the HTTP API."""
