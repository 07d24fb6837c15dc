"""Which files are read and how, decode, the one resize and normalise, tiles, and maps back to the original size."""
