"""The least that Flask can do."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def answer() -> str:
    return "ok"
