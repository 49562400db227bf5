"""What open networks make of a sample inside: pooled states of every layer, attention maps."""
