"""Who answers: the protocols, the resolver, and one adapter per kind of model."""
