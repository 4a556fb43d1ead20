"""Floor 1: the only place that inspects or alters the user's network."""
