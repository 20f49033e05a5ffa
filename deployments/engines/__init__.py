"""What engines take: arguments, variables, flags by version, images, and the memory that they need. Pure."""
