"""What must not stand in our own log."""

import logging
import re

SECRETS = re.compile(r"([?&](?:code|state)=)[^&\s\"]+")


class HideCodes(logging.Filter):
    """The server's lines hold whole addresses, and a consent comes back with its code in one."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = SECRETS.sub(r"\1***", record.getMessage()), ()
        return True
