"""The HTTP door: the application, its error answers, health, and the server process."""
