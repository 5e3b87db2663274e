"""How the versions of one framework are loaded and run; each framework in its own module, imported when used."""
