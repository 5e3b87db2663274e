"""Work that happens later: rows in the database, claimed with a lease, finished under a fence. Knows no broker."""
