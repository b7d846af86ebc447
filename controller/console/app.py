"""The console on an application: its pages and its static files."""

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from controller.api.schema import checked
from controller.console import acting, login, watch
from controller.console.pages import HERE


def install_console(app: FastAPI) -> FastAPI:
    """Mount the console on the application of `controller.api.app.create_app`, at its root."""
    for part in (login, watch, acting):
        app.include_router(checked(part.router))
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    return app
