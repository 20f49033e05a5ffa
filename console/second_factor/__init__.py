"""What people prove beside their password: codes of an authenticator app, passkeys, recovery codes."""
