"""The Caption pages: one photo, many photos, finding photos, and scoring a model."""
