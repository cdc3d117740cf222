"""Starts, watches, restarts and stops the processes of one installation.

It owns the ports, the broker's configuration and ``run/``.

Read in this order: `service` (what one process is), `keeper` (keeps one alive), `plant` (which there are),
`supervise` (the whole life of ``yuheng up``). `postgres` and `broker` know the two embedded engines.
"""
