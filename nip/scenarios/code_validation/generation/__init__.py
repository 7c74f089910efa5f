"""Making datasets: variants of correct programs, and the verification of what is wrong with them."""
