"""The generated data set: coloured shapes with a size, a place, and a relation to each other.

It needs no download and no licence, and its captions are true by construction, so a small model
learns it in minutes.  Everything is drawn and written with integers alone (no fonts, no float
edges, no compressor whose output differs by version): equal seeds give equal bytes everywhere.
"""

from captioning.datasets.shapes.files import ADAPTER, generate_shapes, read_shapes

__all__ = ["ADAPTER", "generate_shapes", "read_shapes"]
