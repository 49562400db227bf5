"""What models cost: prices of the configuration and the figures made from them."""
