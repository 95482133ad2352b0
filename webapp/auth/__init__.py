"""Who asks, what they may, and what each route needs of them."""
