"""What a provider is written against (shared/SDK.md). No Django here, and no vendor's name."""
