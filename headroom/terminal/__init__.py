"""The figures of the site for people who stay in the terminal."""
