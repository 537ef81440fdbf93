"""Two formats that nobody speaks. `test_added_format.py` adds them to a copy of the heart: one module and one row each.

They are written as a format of the heart is (CONTRIBUTING.md, "Add a format").
"""
