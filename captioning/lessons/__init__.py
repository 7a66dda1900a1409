"""What the lessons compute: each number of the model worked out again, step by step, in the open.

Every module is imported by its name; none of them knows the pages that show its results.
"""
