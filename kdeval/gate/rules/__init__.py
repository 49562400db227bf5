"""What each kind of rule measures."""
