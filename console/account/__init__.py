"""The pages of one's own account: what protects it, where it is signed in, and proving again who one is."""
