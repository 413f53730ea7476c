"""Model families behind one interface. Each fitted model is JSON."""
