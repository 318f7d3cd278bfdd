"""What the approval service answers: people and keys, policies, approvals, grants."""
