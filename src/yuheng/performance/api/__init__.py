"""JSON edge of performance, below ``/api/v1``."""
