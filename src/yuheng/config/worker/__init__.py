"""The worker: takes in what the historian found out, delivers the outbox, publishes the configuration.

``python -m yuheng.config.worker``; see `process`.
"""
