"""Pages of organisations: for administrators in the console, and members for owners in the portal."""
