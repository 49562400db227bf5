"""The demonstration: a real teacher and real distilled students, made on the spot."""
