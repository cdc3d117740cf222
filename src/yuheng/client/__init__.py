"""Yuheng's history as dataframes, over the HTTP API.

>>> from yuheng.client import Client
>>> plant = Client("http://127.0.0.1:8000", token="yh_...")
>>> sorted(name for name in dir(plant) if not name.startswith("_"))  # doctest: +NORMALIZE_WHITESPACE
['cycles', 'explain', 'history', 'latest', 'live', 'overlay', 'reasons', 'sites', 'states', 'statistics', 'stops',
 'tags', 'work_units']
"""

from yuheng.client.client import Client
from yuheng.client.errors import NotAllowed, NotFound, NotSignedIn, Refused, Unreachable, YuhengError

__all__ = ["Client", "NotAllowed", "NotFound", "NotSignedIn", "Refused", "Unreachable", "YuhengError"]
