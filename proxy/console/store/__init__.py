"""The console's store: SQLite, in memory or in a file. One thread writes; readers have a time limit. Knows no HTTP."""
