"""`yuheng bench NAME`: how fast, how late, how whole. Measured on an installation of its own, in a temporary directory.

One module a bench, each with ``SUMMARY``, ``add_arguments(parser)`` and ``run(options, reporter) -> dict``; `registry`
lists them. Here lives nothing of the product: a bench starts ``yuheng up`` as a child and speaks to it as a device,
a browser or another process would (MQTT, HTTP, the bus).
"""
