"""What the Compose stack needs besides the product itself: hashes, definitions, roles, and the variables of .env."""
