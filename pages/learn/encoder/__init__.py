"""Lesson 2: how a CNN turns pixels into regions."""
