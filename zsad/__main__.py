"""``python -m zsad`` is the same as ``zsad``."""

from zsad.cli import main

if __name__ == "__main__":
    main()
