"""A side of a comparison: a process that answers commands, each by one line of numbers."""

import subprocess
import sys


class Side:
    """One process that answers commands; alone, it lives for one measurement."""

    def __init__(self, name, arguments):
        self.name, self.arguments, self.process = name, [str(a) for a in arguments], None

    def start(self):
        if self.process is None:
            self.process = subprocess.Popen(
                self.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self.title = self.read().removeprefix("ready: ")

    def stop(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()
            self.process = None

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench: {self.name} ended with status {self.process.wait()}")
        return line.strip()

    def numbers(self, command):
        self.start()
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return [float(word) for word in self.read().split()]
