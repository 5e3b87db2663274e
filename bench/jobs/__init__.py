"""What the measurements of jobs share: servers of their own, the product on them, a client that loads it, Celery."""
