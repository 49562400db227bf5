"""`python -m kdeval` is the same as `kdeval`."""

from kdeval.cli.main import main

if __name__ == "__main__":
    main()
