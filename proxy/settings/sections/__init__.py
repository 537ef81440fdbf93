"""The sections of the settings, one file a subject: their keys, types and defaults."""
