"""What somebody would build instead."""
