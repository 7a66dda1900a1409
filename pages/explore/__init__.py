"""Parts of the Explore pages: the data set looked at, grids of photos, charts, BLEU in colours."""
