"""JSON edge of operations."""
