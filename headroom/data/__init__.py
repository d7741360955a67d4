"""Examples: loaded, tokenized, put into batches."""
