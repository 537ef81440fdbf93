"""The filter language of all lists: text to terms, terms to a test of one row, terms to SQL. PURE.

`tests/vectors/filter/rows.jsonl` holds its vectors. The page has the same language in `page/js/filter.js`.
"""
