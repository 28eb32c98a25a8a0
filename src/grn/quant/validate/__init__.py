"""Is the winner real? Statistics that count every trial, and the verdict drawn from them."""
