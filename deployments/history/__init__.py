"""From one revision to another: what differs, what became of it, how long it took, and the way back."""
