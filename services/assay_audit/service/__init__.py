"""What the audit service answers: the log, who approved, and every event as it comes."""
