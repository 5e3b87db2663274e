"""The door that work comes in by: a Celery worker whose processes run jobs, and the thread that reports it."""
