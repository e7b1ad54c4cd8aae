"""Stands before the application: rate limit, header fields, passwords, in the order of the toolkit."""

from collections.abc import Iterable
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.access.access import Access, Denial
from exporter.web.access.basic import credentials
from exporter.web.access.passwords import TooManyPasswordsError

AUTHENTICATED, NETWORK = "authenticated", "network"
"""Keys of `scope["state"]`. The connection sets both: whether it has the required client certificate, and the network
that the client is counted for. The guard sets the first after a right password."""


def is_authenticated(scope: Scope) -> bool:
    """Whether this request has proved who sends it: by a password, or by the client certificate that is required."""
    return bool(scope.get("state", {}).get(AUTHENTICATED))


class Guard:
    """The application, for those who may ask."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        access = self._access
        await access.renew()
        if not access.within_rate():
            await self._deny(Denial.RATE_LIMITED, 429, "Too Many Requests", scope, receive, send)
            return
        config = access.config
        send = _with_fields(config.headers, send)
        if config.users:
            given = credentials(scope["headers"])
            state: dict[str, Any] = scope.setdefault("state", {})
            try:
                right = given and await access.passwords.right(config.users, *given, str(state.get(NETWORK, "")))
            except TooManyPasswordsError:
                await self._deny(Denial.TOO_MANY_PASSWORDS, 429, "Too Many Requests", scope, receive, send)
                return
            if not right:
                await self._deny(Denial.UNAUTHORIZED, 401, "Unauthorized", scope, receive, send)
                return
            state[AUTHENTICATED] = True
        await self._app(scope, receive, send)

    async def _deny(  # noqa: PLR0913, PLR0917
        self, reason: Denial, status: int, text: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._access.watch.denied(reason)
        fields = {"WWW-Authenticate": "Basic"} if reason == Denial.UNAUTHORIZED else {"Retry-After": "1"}
        await PlainTextResponse(f"{text}\n", status_code=status, headers=fields)(scope, receive, send)


def _with_fields(fields: Iterable[tuple[bytes, bytes]], send: Send) -> Send:
    """`send` with these fields in the response instead of those of the same name."""
    own = dict(fields)
    if not own:
        return send

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            others = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in own]
            message = {**message, "headers": [*others, *own.items()]}
        await send(message)

    return sent
