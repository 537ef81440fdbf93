"""Why a header comes out as it does: for pasted headers, by formats alone or by a whole plan. Pure.

The command line and the admin listener give the same answers from here, in the same words.
"""
