"""What rows of a test ledger hold."""

from typing import Any

A, B, C, D, E = ("a" * 64, "b" * 64, "c" * 64, "d" * 64, "e" * 64)  # SHA-256 of models
WHO: dict[str, Any] = {"actor": "policy", "run_id": "run-1", "verdict": {"promote": True, "auc": 0.7}}
