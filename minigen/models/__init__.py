"""Models that more than one lesson uses. A lesson shows each in full where it is the point; here it is to import."""
