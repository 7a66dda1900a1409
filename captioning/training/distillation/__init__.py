"""Distillation: train a small encoder to match the features of a large one, without labels.

A good teacher is patient and consistent (Beyer et al. 2022, https://arxiv.org/abs/2106.05237):
teacher and student see the same aggressive crops of each photo, for many epochs, and the student
matches the teacher's output.  Here the output is a feature map, so each view gives dozens of
targets.

The teacher's features are recorded once (`recording`), because they never change; the student then
learns from the recording (`learning`).  Each module is imported by its name: only some need Keras.
"""
