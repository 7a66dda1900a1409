"""The generated data set: coloured shapes with a size, a position, and a relation to each other.

It needs no download and no licence, and its captions are correct by construction, so a small model
learns it in minutes.  Drawing and writing use only integers (no fonts, no floating-point edges, no
compressor that differs by version): the same seed gives the same bytes everywhere.
"""

from captioning.datasets.shapes.files import ADAPTER, generate_shapes, read_shapes

__all__ = ["ADAPTER", "generate_shapes", "read_shapes"]
