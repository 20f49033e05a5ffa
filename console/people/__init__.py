"""The people of the platform: who there is, what they may do, and the ways in and out."""
