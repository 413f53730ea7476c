"""Seeded generator of raw loan files in the form of LendingClub's releases. Call the functions of `files`."""
