"""Pages of orders, job orders, stock and dispatching."""
