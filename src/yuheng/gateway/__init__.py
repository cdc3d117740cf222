"""asyncio: connectors in, durable log out. No Django."""
