"""What an operator did is written down where it was done, and nobody can change it afterwards."""
