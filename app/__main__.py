"""`python -m app` is `sightline`."""

from app.cli import main

if __name__ == "__main__":
    main(prog_name="sightline")
