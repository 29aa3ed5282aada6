"""Adds two numbers: ``{"x": 3, "y": 4}`` gives 7."""


def handle(event):
    return event["x"] + event["y"]
