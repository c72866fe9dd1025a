"""The operator as the process a user starts."""

import asyncio
import signal
import sys
from pathlib import Path


class OperatorProcess:
    """`python -m imooc_operator` against one kubeconfig and namespace."""

    def __init__(self, kubeconfig: Path, namespace: str, *flags: str) -> None:
        self._arguments = [
            f"--kubeconfig={kubeconfig}",
            f"--namespaces={namespace}",
            "--metrics-bind-address=0",
            "--health-probe-bind-address=0",
            *flags,
        ]
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.log: list[str] = []
        self.synced = asyncio.Event()

    async def start(self) -> None:
        """Start it and wait until its caches are synced."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "imooc_operator", *self._arguments, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        self.synced.clear()
        self._reader = asyncio.create_task(self._collect(process.stderr))
        async with asyncio.timeout(20):
            await self.synced.wait()

    async def kill(self) -> None:
        """End it as a power cut does."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """Ask it to end, as the kubelet does; return the exit code."""
        return await self._end(signal.SIGTERM)

    async def end(self) -> None:
        """See to it that it does not run any more, whether or not it did."""
        if self._process is not None:
            await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals) -> int:
        process = self._process
        assert process is not None
        assert self._reader is not None
        if process.returncode is None:
            process.send_signal(number)
        async with asyncio.timeout(5):
            code = await process.wait()
            await self._reader
        return code

    async def _collect(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            self.log.append(line.decode())
            if b'"message": "synced"' in line:
                self.synced.set()
        self.synced.set()  # it ended; whoever waits finds out by what follows
