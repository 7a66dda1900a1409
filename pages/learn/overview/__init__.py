"""Lesson 1: from a photo to a sentence, in one picture."""
