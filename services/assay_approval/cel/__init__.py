"""CEL as conditions use it: which part of it, over which facts."""
