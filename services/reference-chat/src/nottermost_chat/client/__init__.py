"""The Python client: what the tests, the command line and the load test speak to the chat with.

async with await ChatClient.log_in("http://127.0.0.1:3000", "ada@example.org", "password") as chat:
    await chat.send(conversation_id, "hello")
    async for event in chat.events():
        ...
"""

from nottermost_chat.client.backoff import Backoff
from nottermost_chat.client.chat import ChatClient, Event, Reset
from nottermost_chat.client.rest import Refused, Rest

__all__ = ["Backoff", "ChatClient", "Event", "Refused", "Reset", "Rest"]
