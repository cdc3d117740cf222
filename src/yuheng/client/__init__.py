"""Yuheng's history as dataframes, over the HTTP API.

>>> from yuheng.client import Client
>>> plant = Client("http://127.0.0.1:8000", token="yh_...")
>>> [name for name in dir(plant) if not name.startswith("_")]
['history', 'latest', 'live', 'sites', 'states', 'tags', 'work_units']
"""

from yuheng.client.client import Client
from yuheng.client.errors import NotAllowed, NotFound, NotSignedIn, Refused, Unreachable, YuhengError

__all__ = ["Client", "NotAllowed", "NotFound", "NotSignedIn", "Refused", "Unreachable", "YuhengError"]
