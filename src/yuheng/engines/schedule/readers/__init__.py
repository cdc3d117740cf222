"""Read problems: the literature's text formats (JSP, FJSP, FAJSP) and the plant as JSON. Text in, problem out."""

from yuheng.engines.schedule.readers.literature import read_fajsp, read_fjsp, read_jsp, remarks
from yuheng.engines.schedule.readers.plant import read_plant
from yuheng.engines.schedule.readers.plant_writer import write_plant

FORMATS = {"jsp": read_jsp, "fjsp": read_fjsp, "fajsp": read_fajsp, "plant": read_plant}
"""Name on the command line to reader; each takes text (or UTF-8 bytes) and a name, and raises `ProblemError`."""

__all__ = ["FORMATS", "read_fajsp", "read_fjsp", "read_jsp", "read_plant", "remarks", "write_plant"]
