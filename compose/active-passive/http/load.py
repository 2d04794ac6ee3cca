"""Asks a web server for a page, 50 times a second, each time by a connection of its own, and reports what was lost.

    load.py URL        a line for each second; SIGTERM or SIGINT ends it with a summary

A request is lost when no 200 has come after one second. The gap is the longest time in which no request was sent that got
an answer: the outage as a user sees it.
"""
import asyncio
import json
import signal
import sys
import time
import urllib.parse

EVERY = 0.02
PATIENCE = 1.0


class Load:
    def __init__(self, url):
        where = urllib.parse.urlsplit(url)
        self.host, self.port, self.path = where.hostname, where.port or 80, where.path or "/"
        self.sent = self.lost = self.second_sent = self.second_lost = 0
        self.gap = self.second_gap = 0.0
        self.answered_last = None  # when the newest request was sent that has its answer

    async def ask(self):
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(f"GET {self.path} HTTP/1.0\r\nHost: {self.host}\r\n\r\n".encode())
            return (await reader.readline()).split()[1:2] == [b"200"]
        finally:
            writer.close()

    async def one(self):
        at = time.monotonic()
        try:
            good = await asyncio.wait_for(self.ask(), PATIENCE)
        except (OSError, asyncio.TimeoutError):
            good = False
        if not good:
            self.lost += 1
            self.second_lost += 1
        elif self.answered_last is None or at > self.answered_last:
            self.second_gap = max(self.second_gap, at - (self.answered_last or at))
            self.gap = max(self.gap, self.second_gap)
            self.answered_last = at

    def line(self, sent, lost, gap, **more):
        print(json.dumps({"at": time.strftime("%H:%M:%S"), "sent": sent, "lost": lost,
                          "longest_gap_ms": round(gap * 1000), **more}), flush=True)

    async def run(self):
        end = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end.set)
        begin = time.monotonic()
        asking = set()
        while not end.is_set():
            if self.sent and self.sent % round(1 / EVERY) == 0:
                self.line(self.second_sent, self.second_lost, self.second_gap)
                self.second_sent = self.second_lost = 0
                self.second_gap = 0.0
            task = asyncio.create_task(self.one())
            asking.add(task)
            task.add_done_callback(asking.discard)
            self.sent += 1
            self.second_sent += 1
            try:
                await asyncio.wait_for(end.wait(), max(0, begin + self.sent * EVERY - time.monotonic()))
            except asyncio.TimeoutError:
                pass
        for task in asking:  # neither lost nor answered yet
            task.cancel()
        self.line(self.sent - len(asking), self.lost, self.gap, total=True)


asyncio.run(Load(sys.argv[1]).run())
