"""Built-in connectors, registered by entry point like everybody else's; they know only `gateway.connector`."""
