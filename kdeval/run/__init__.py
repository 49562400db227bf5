"""Suite x model -> predictions, through the store and an executor."""
