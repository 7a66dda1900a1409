"""How fast the library is, as ratios of two pieces of work timed in one run on one machine."""
