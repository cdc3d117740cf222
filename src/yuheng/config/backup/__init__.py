"""Backups of a running installation, and putting them back."""
