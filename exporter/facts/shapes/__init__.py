"""How facts are shown: metric families, samples and the JSON form."""
