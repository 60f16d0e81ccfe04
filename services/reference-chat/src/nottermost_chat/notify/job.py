"""What waits in the queue: one push for one user about one entry."""

import msgspec

from nottermost_chat.notify.port import News


class PushJob(msgspec.Struct, frozen=True, omit_defaults=True):
    """Its key is (conversation, epoch, seq, user): the same job again replaces the notification by itself.

    Attributes:
        message_id: "" for READ.
        large: the conversation's size class when the message was appended.
        device_id: this device only, the others have it; "": all of the user's.
    """

    news: News
    user_id: str
    conversation_id: str
    epoch: int
    seq: int
    message_id: str = ""
    large: bool = False
    device_id: str = ""


encode_job = msgspec.json.Encoder().encode
decode_job = msgspec.json.Decoder(PushJob).decode
