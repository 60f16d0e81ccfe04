"""Signals on their way to every gateway that is connected to this process."""

from collections.abc import Callable

from nottermost_chat.ports import Signal

Listener = Callable[[Signal], None]


class SignalHub:
    """Hands each signal to all who listen: the streams of the gateways. Implements `ports.Signals`."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    async def signal(self, signal: Signal) -> None:
        self.tell(signal)

    def tell(self, signal: Signal) -> None:
        """Never waits: a listener that is full drops it."""
        for listener in tuple(self._listeners):
            listener(signal)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every signal from now on. Returns what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)
