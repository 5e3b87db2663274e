"""What users said about predictions: labels, tied to inferences by id or key, late, repeated and unknown ones kept."""
