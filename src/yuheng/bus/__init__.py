"""What the processes say to each other over NATS. No Django here.

`subjects` names every stream and subject, `documents` the configuration document, `messages` the
requests, replies and live changes. `wire` is the lean reader of the durable log.
"""
