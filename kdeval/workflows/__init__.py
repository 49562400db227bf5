"""What a command does when it takes several stages."""
