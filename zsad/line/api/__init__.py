"""Page and API of a station: FastAPI in a thread of its own; nothing it does can hold the line up."""
