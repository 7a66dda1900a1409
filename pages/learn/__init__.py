"""The Learn pages: one frame for all lessons, and what each lesson shows."""
