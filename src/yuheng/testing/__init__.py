"""Builders, fake devices and the connector suite: what tests (ours and plug-in authors') are made of."""
