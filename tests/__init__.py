"""The tests; a package, so that no distribution's own ``tests`` folder is taken for it."""
