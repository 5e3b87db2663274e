"""The product shown on real flights: one command trains, serves, replays, labels, watches and reports."""
