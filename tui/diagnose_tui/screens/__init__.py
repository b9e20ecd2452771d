"""The screens above the main one; each returns what was decided and changes nothing itself."""
