"""Training of prompts on auxiliary data: losses now, features and the loop later."""
