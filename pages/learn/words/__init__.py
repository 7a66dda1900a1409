"""Lesson 3: how words become numbers."""
