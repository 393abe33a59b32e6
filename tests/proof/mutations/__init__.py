"""Wrong conversions, and how many of them verification catches (`make mutations`)."""
