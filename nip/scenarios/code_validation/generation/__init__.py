"""Making datasets: variants of correct programs, and finding out what is wrong with them."""
