"""The services of the platform; see each package."""
