"""The provider's prompt cache as a specification, who places its marks, and what they would have saved."""
