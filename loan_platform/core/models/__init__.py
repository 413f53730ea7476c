"""Model families behind one small interface; each fitted model is JSON."""
