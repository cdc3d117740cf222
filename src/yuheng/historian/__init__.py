"""asyncio: durable log in, columns and live changes out, history on request. No Django."""
