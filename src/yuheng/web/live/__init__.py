"""The live hub: one subscription to the bus, many browsers. asyncio, no Django, no ORM."""
