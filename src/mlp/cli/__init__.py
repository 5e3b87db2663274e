"""The door of the shell: the command ``mlp``, one file for each noun."""
