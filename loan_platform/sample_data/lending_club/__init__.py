"""Seeded generator of raw LendingClub-form loan files; call the functions of `synthetic.files`."""
