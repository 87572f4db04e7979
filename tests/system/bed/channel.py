# SPDX-License-Identifier: GPL-2.0-only
"""xenhost's end of the script's line: separates the script's bytes from dom0's records.

A record is RS, this run's random word, a space, text, US (dom0/channel.sh
writes it). Anything else belongs to the script, an RS without the word too.
"""

RS = b"\036"
US = b"\037"


class Splitter:
    def __init__(self, nonce):
        self.head = RS + nonce.encode() + b" "
        self.rest = b""

    def feed(self, data):
        """Returns (the script's bytes, the records as text). Keeps what is not decided yet."""
        data = self.rest + data
        plain, records = [], []
        while True:
            start = data.find(RS)
            if start < 0:
                plain.append(data)
                data = b""
                break
            plain.append(data[:start])
            data = data[start:]
            if not self.head.startswith(data[:len(self.head)]):
                plain.append(data[:1])
                data = data[1:]
                continue
            end = data.find(US)
            if end < 0:
                break
            records.append(data[len(self.head):end].decode(errors="replace"))
            data = data[end + 1:]
        self.rest = data
        return b"".join(plain), records

    def flush(self):
        plain, self.rest = self.rest, b""
        return plain
