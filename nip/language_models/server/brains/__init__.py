"""What answers: each brain in a file of its own."""
