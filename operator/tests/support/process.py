"""The operator, or another controller, as the process a user starts."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class ControllerProcess:
    """Any controller; it is ready once its log has each of the texts in `ready`."""

    def __init__(
        self, command: list[str], ready: tuple[bytes, ...], environment: Mapping[str, str]
    ) -> None:
        self._command = command
        self._ready = ready
        self._environment = {**os.environ, **environment}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.log: list[str] = []
        self.synced = asyncio.Event()

    async def start(self, within: float = 20) -> None:
        """Start it and wait until it is ready; one that is not in time is ended."""
        await self.launch()
        try:
            async with asyncio.timeout(within):
                await self.synced.wait()
        except BaseException:
            await self.end()
            raise

    async def launch(self) -> None:
        """Start it; `synced` tells when it is ready."""
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command, env=self._environment, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        self.synced.clear()
        self._reader = asyncio.create_task(self._collect(process.stderr))

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal and do not wait for what follows."""
        assert self._process is not None
        self._process.send_signal(number)

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

    async def wait(self) -> int:
        """Wait until it has ended; return the exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def _end(self, number: signal.Signals) -> int:
        process = self._process
        assert process is not None
        assert self._reader is not None
        if process.returncode is None:
            process.send_signal(number)
        async with asyncio.timeout(30):
            code = await self.wait()
            await self._reader
        return code

    async def _collect(self, stream: asyncio.StreamReader) -> None:
        missing = set(self._ready)
        async for line in stream:
            self.log.append(line.decode())
            missing -= {text for text in missing if text in line}
            if not missing:
                self.synced.set()
        self.synced.set()  # it ended; whoever waits finds out by what follows


class OperatorProcess(ControllerProcess):
    """`python -m imooc_operator` against one kubeconfig and namespace; ready with synced caches."""

    def __init__(
        self,
        kubeconfig: Path,
        namespace: str,
        *flags: str,
        under: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`under` is a command that starts the one that follows; `environment` is added."""
        command = [
            *under,
            *(sys.executable, "-m", "imooc_operator"),
            f"--kubeconfig={kubeconfig}",
            f"--namespaces={namespace}",
            "--metrics-bind-address=0",
            "--health-probe-bind-address=0",
            *flags,
        ]
        super().__init__(command, (b'"synced"',), environment or {})
