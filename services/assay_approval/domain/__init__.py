"""The rules: whose a key is, what a policy governs, when an approval is granted."""
