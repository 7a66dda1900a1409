"""The Library pages: caption many photos, and find photos."""
