"""What the platform reads from environment variables: one module per concern."""
