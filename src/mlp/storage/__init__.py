"""Where things are kept: the database, the artefacts, the pages of a list. Knows no domain."""
