"""Whether the times in a message are times: protobuf carries any number of seconds."""

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def are_sound(message: Message) -> bool:
    """Return whether each time that a message itself says lies in the years 1 to 9999."""
    try:
        for _, value in message.ListFields():
            if isinstance(value, Timestamp):
                value.ToDatetime()
    except (ValueError, OverflowError):
        return False
    return True
