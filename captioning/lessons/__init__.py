"""What the lessons compute: each number of the model, computed again step by step.

Every module is imported by its name; none of them knows the pages that show its results.
"""
